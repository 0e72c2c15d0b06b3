"""The one place that opens a caller's URL: looked up once, pinned, bounded, each redirect checked again."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import httpcore
from pecia_core.errors import InvalidRequest, Overloaded, PeciaError, TooLarge
from pecia_core.upload import Upload

from pecia_fetch.addresses import AllowedAddresses
from pecia_fetch.settings import FetchSettings

_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_PORTS = {"https": 443, "http": 80}
_HEADERS = [("User-Agent", "pecia"), ("Accept", "image/*, application/pdf"), ("Accept-Encoding", "identity")]
Resolve = Callable[[str, int], Awaitable[list[str]]]


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


class _Refused(Exception):
    """An address that may not be asked."""


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
            raise _Refused
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
        raise _Refused

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class Fetcher:
    """Downloads pictures that callers name by URL."""

    def __init__(self, settings: FetchSettings, max_bytes: int, resolve: Resolve | None = None) -> None:
        """Connect to nothing yet.

        Args:
            settings: what may be asked, and how long it may take.
            max_bytes: of one file.
            resolve: finds the addresses of a name; None = as the system does.
        """
        self._settings = settings
        self._max_bytes = max_bytes
        self._room = asyncio.Semaphore(settings.max_concurrent)
        self._names = NameService(settings.max_concurrent)
        allowed = AllowedAddresses(settings.allowed_private_hosts)
        self._backend = _PinnedBackend(allowed, resolve or self._names.look_up, settings.allowed_ports)

    def close(self) -> None:
        """Fetch nothing any more."""
        self._names.close()

    async def fetch(self, url: str, *, param: str) -> Upload:
        """The file behind a URL.

        Raises:
            InvalidRequest: a URL that may not be asked (`invalid_image_url`), or one that gives no file
                in time (`failed_to_download_image`).
            TooLarge: it gives more bytes than allowed; no more than those are read.
            Overloaded: too many downloads at once.
        """
        began = False
        try:
            async with asyncio.timeout(self._settings.timeout_s), self._room:
                began = True
                return await self._follow(url, param)
        except TimeoutError:
            if not began:
                raise Overloaded("Too many pictures are being downloaded.", retry_after=1) from None
            raise _failed(f"took longer than {self._settings.timeout_s:g} s", param) from None
        except _Refused:
            raise _not_allowed("its address is not a public one, or its port is not allowed", param) from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise _failed("could not be downloaded", param) from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made when first needed: reading the authorities takes a tenth of a second."""
        own = self._settings.ca_file
        context = ssl.create_default_context(cafile=str(own) if own else None)
        if not context.get_ca_certs():  # the smallest images have no authorities
            context.load_verify_locations(certifi.where())
        return context

    async def _follow(self, url: str, param: str) -> Upload:
        for _ in range(self._settings.max_redirects + 1):
            answer = await self._ask(self._checked(url, param), param)
            if isinstance(answer, Upload):
                return answer
            url = urljoin(url, answer)
        raise _failed(f"redirects more than {self._settings.max_redirects} times", param)

    async def _ask(self, parts: SplitResult, param: str) -> Upload | str:
        """The file, or where the answer points to instead."""
        timeouts = {
            "connect": self._settings.connect_timeout_s,
            "read": self._settings.timeout_s,
            "pool": self._settings.timeout_s,
        }
        url, headers = _without_fragment(parts), [("Host", parts.netloc), *_HEADERS]
        # A pool of its own for each hop: no connection, and so no pinned address, outlives it.
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls if parts.scheme == "https" else None, network_backend=self._backend
            ) as pool,
            pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as response,
        ):
            said = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in said:
                return said[b"location"]
            if response.status != _OK:
                raise _failed(f"answered with status {response.status}", param)
            data = await self._read(response, said.get(b"content-length", ""), param)
        return Upload(data, said.get(b"content-type", "").partition(";")[0].strip().lower())

    async def _read(self, response: httpcore.Response, declared: str, param: str) -> bytes:
        """The body: refused by its head if that says enough, and counted while it arrives."""
        too_large = TooLarge(f"The URL gives more than the {self._max_bytes:,} bytes allowed.", param=param)
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise too_large
        data = bytearray()
        async for chunk in response.aiter_stream():
            data += chunk
            if len(data) > self._max_bytes:
                raise too_large
        return bytes(data)

    def _checked(self, url: str, param: str) -> SplitResult:
        """The parts of a URL that may be asked.

        Raises:
            InvalidRequest: scheme, host or user information are not as they should be.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _not_allowed("it is not a URL", param) from None
        schemes = {"https", "http"} if self._settings.allow_http else {"https"}
        if parts.scheme not in schemes:
            raise _not_allowed(f"only {' and '.join(sorted(schemes))} and data URLs are fetched", param)
        if not url.isascii():
            raise _not_allowed("other characters than ASCII have to be encoded in it", param)
        if not parts.hostname or port == 0 or parts.username is not None:
            raise _not_allowed("it needs a plain host name", param)
        return parts


def _without_fragment(parts: SplitResult) -> str:
    return parts._replace(fragment="").geturl()


def _not_allowed(why: str, param: str) -> PeciaError:
    return InvalidRequest(f"This URL may not be fetched: {why}.", code="invalid_image_url", param=param)


def _failed(why: str, param: str) -> PeciaError:
    return InvalidRequest(
        f"The picture behind this URL {why}. Send it as a data URL.",
        code="failed_to_download_image",
        param=param,
    )
