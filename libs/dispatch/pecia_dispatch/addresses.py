"""From the target in the settings to the addresses of the pods behind it."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)
_DEFAULT_PORT = 50051

# Name -> addresses, IPv4 and IPv6.
Lookup = Callable[[str], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One part of the target: a name or address, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """One pod: where it is, and the name its certificate is expected to carry."""

    ip: str
    port: int
    name: str

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def parse_target(target: str) -> tuple[Endpoint, ...]:
    """`name:port`, or several separated by commas; the port may be missing, `dns:///` may stand before.

    Raises:
        ValueError: not such a text.
    """
    parts = [part.strip().removeprefix("dns:///") for part in target.split(",")]
    return tuple(_endpoint(part) for part in parts if part)


def _endpoint(part: str) -> Endpoint:
    host, port = part, ""
    if part.startswith("["):
        host, _, port = part[1:].partition("]")
        port = port.removeprefix(":")
    elif part.count(":") == 1:
        host, _, port = part.partition(":")
    if not host or not (port.isdecimal() or not port):
        raise ValueError(f"{part!r} is no address of an ocr service: write name:port")
    return Endpoint(host, int(port or _DEFAULT_PORT))


async def look_up(host: str) -> list[str]:
    """Every address of a name.

    Raises:
        OSError: the name has none, or nobody knows.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


async def resolve(endpoints: tuple[Endpoint, ...], lookup: Lookup = look_up) -> set[Address] | None:
    """The addresses behind all endpoints; None when a name could not be looked up: keep what you had."""
    found: set[Address] = set()
    for endpoint in endpoints:
        try:
            ips = await lookup(endpoint.host)
        except OSError as error:
            _log.warning("the ocr service's name cannot be resolved", extra={"reason": str(error)})
            return None
        found.update(Address(ip, endpoint.port, endpoint.host) for ip in _one_family(ips))
    return found


def _one_family(ips: list[str]) -> list[str]:
    """IPv4 where there is any: a pod with two families is one pod, and localhost mostly listens there."""
    four = [ip for ip in ips if ipaddress.ip_address(ip).version == 4]  # noqa: PLR2004 - the protocol's number
    return four or ips
