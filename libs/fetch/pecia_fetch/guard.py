"""The guarded way out: which URLs may be asked at all, and connections to the very addresses checked."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from urllib.parse import SplitResult, urlsplit

import certifi
import httpcore

from pecia_fetch.addresses import AllowedAddresses
from pecia_fetch.settings import GuardSettings

Resolve = Callable[[str, int], Awaitable[list[str]]]
# What asking may end in besides an answer.
TROUBLE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError)


class Refused(Exception):
    """A URL or address that may not be asked. Says why, so as to follow "it may not be asked:"."""


class NameService:
    """Looks names up as the system does, in threads of its own: a slow name must not hold up others' work."""

    def __init__(self, threads: int) -> None:
        """Start no thread yet."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="look-up")

    async def look_up(self, host: str, port: int) -> list[str]:
        """Every address of a name; decimal and hexadecimal forms of addresses are names as well.

        Raises:
            OSError: it has none.
        """
        asked = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        except UnicodeError as error:  # labels that no name can have
            raise OSError(f"not a name: {error}") from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        """Look nothing up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the very address that was checked, whatever the name says a moment later."""

    def __init__(self, allowed: AllowedAddresses, resolve: Resolve, ports: Iterable[int]) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._ports = set(ports)
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        # One private address among public ones is an attack, not an alternative.
        if not addresses or not all(self._may(host, address, port) for address in addresses):
            raise Refused("its address is not a public one, or its port is not allowed")
        *others, last = addresses
        for address in others:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # a name with two families, of which this machine has one
        return await self._backend.connect_tcp(last, port, timeout, local_address, socket_options)

    def _may(self, host: str, address: str, port: int) -> bool:
        if self._allowed.names_private(host, address):
            return True
        return port in self._ports and self._allowed.allows(host, address)

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - never a path
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - same
    ) -> httpcore.AsyncNetworkStream:
        raise Refused("it is no address of a network")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class Guard:
    """Makes the connections of one fetcher or poster."""

    def __init__(self, settings: GuardSettings, threads: int, resolve: Resolve | None = None) -> None:
        """Connect to nothing yet.

        Args:
            settings: what may be asked.
            threads: names looked up at once.
            resolve: finds the addresses of a name; None = as the system does.
        """
        self._settings = settings
        self._names = NameService(threads)
        allowed = AllowedAddresses(settings.allowed_private_hosts)
        self._backend = _PinnedBackend(allowed, resolve or self._names.look_up, settings.allowed_ports)

    def close(self) -> None:
        """Look nothing up any more."""
        self._names.close()

    def pool(self, parts: SplitResult) -> httpcore.AsyncConnectionPool:
        """For one request: no connection, and so no pinned address, outlives it."""
        tls = self._tls if parts.scheme == "https" else None
        return httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=self._backend)

    def checked(self, url: str) -> SplitResult:
        """The parts of a URL that may be asked; nothing is looked up.

        Raises:
            Refused: scheme, host or user information are not as they should be.
        """
        return checked_url(url, allow_http=self._settings.allow_http)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made when first needed: reading the authorities takes a tenth of a second."""
        own = self._settings.ca_file
        context = ssl.create_default_context(cafile=str(own) if own else None)
        if not context.get_ca_certs():  # the smallest images have no authorities
            context.load_verify_locations(certifi.where())
        return context


def checked_url(url: str, *, allow_http: bool) -> SplitResult:
    """The parts of a URL; nothing is looked up.

    Raises:
        Refused: scheme, host or user information are not as they should be.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("it is not a URL") from None
    schemes = {"https", "http"} if allow_http else {"https"}
    if parts.scheme not in schemes:
        raise Refused(f"only {' and '.join(sorted(schemes))} URLs are asked")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("other characters than ASCII have to be encoded in it")
    if not parts.hostname or port == 0 or parts.username is not None:
        raise Refused("it needs a plain host name")
    return parts


def without_fragment(parts: SplitResult) -> str:
    """The URL as it goes over the wire."""
    return parts._replace(fragment="").geturl()
