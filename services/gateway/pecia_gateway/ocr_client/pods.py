"""The pods behind a target: found by name, looked up again every few seconds."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from time import monotonic

from pecia_gateway.ocr_client.pod import Pod
from pecia_gateway.settings import OcrSettings

log = logging.getLogger(__name__)

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def addresses_of(host: str, port: int) -> list[str]:
    """Every ip:port behind a name; none when it is not known now."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    ips = dict.fromkeys(str(address[0]) for *_, address in found)
    v4 = [f"{ip}:{port}" for ip in ips if ":" not in ip]
    # A name with both families is one set of pods, not two.
    return v4 or [f"[{ip}]:{port}" for ip in ips]


class Pods:
    """The current pods, best first on request."""

    def __init__(self, settings: OcrSettings, resolve: Resolve = addresses_of) -> None:
        """Look nothing up yet."""
        self._settings = settings
        self._resolve = resolve
        self._pods: dict[str, Pod] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def known(self) -> list[Pod]:
        """As last looked up."""
        return list(self._pods.values())

    def forget_when_looked(self) -> None:
        """Look again at the next call: a pod did not answer."""
        self._looked_at = float("-inf")

    async def ranked(self) -> list[Pod]:
        """Every pod, the one to ask first at the front."""
        if monotonic() - self._looked_at > self._settings.resolve_interval_s:
            async with self._looking:
                if monotonic() - self._looked_at > self._settings.resolve_interval_s:
                    await self._look()
        return sorted(self._pods.values(), key=lambda pod: pod.rank)

    async def _look(self) -> None:
        found: dict[str, str] = {}
        for target in self._settings.target.split(","):
            host, _, port = target.strip().rpartition(":")
            for address in await self._resolve(host.strip("[]"), int(port)):
                found[address] = host
        self._looked_at = monotonic()
        if not found:
            return  # the name service is away: the pods may well be there
        for address in found.keys() - self._pods.keys():
            self._pods[address] = Pod(address, found[address], self._settings)
        for address in self._pods.keys() - found.keys():
            log.info("A pod is gone", extra={"address": address})
            leaving = asyncio.create_task(self._pods.pop(address).close(self._settings.timeout_s))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Drop every connection."""
        for leaving in self._leaving:
            leaving.cancel()
        for pod in self._pods.values():
            await pod.close()
