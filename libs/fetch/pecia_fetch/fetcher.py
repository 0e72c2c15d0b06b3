"""Pictures that callers name by URL: looked up once, pinned, bounded, each redirect checked again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin

import httpcore
from pecia_core.errors import InvalidRequest, Overloaded, PeciaError, TooLarge
from pecia_core.upload import Upload

from pecia_fetch.guard import TROUBLE, Guard, Refused, Resolve, without_fragment
from pecia_fetch.settings import FetchSettings

_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_HEADERS = [("User-Agent", "pecia"), ("Accept", "image/*, application/pdf"), ("Accept-Encoding", "identity")]

# Told how many bytes have arrived; raises PeciaError where there is no room for them.
Weigh = Callable[[int], None]


def weightless(_count: int) -> None:
    """There is room for everything."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which field of a request asks, and who counts what comes."""

    param: str
    weigh: Weigh


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
        self._guard = Guard(settings, settings.max_concurrent, resolve)

    def close(self) -> None:
        """Fetch nothing any more."""
        self._guard.close()

    async def fetch(self, url: str, *, param: str, weigh: Weigh = weightless) -> Upload:
        """The file behind a URL.

        Args:
            url: may lead elsewhere.
            param: the request field that named it.
            weigh: told of every piece before it is kept.

        Raises:
            PeciaError: what `weigh` raises; nothing more is read then.
            InvalidRequest: a URL that may not be asked (`invalid_image_url`), or one that gives no file
                in time (`failed_to_download_image`).
            TooLarge: it gives more bytes than allowed; no more than those are read.
            Overloaded: too many downloads at once.
        """
        began = False
        try:
            async with asyncio.timeout(self._settings.timeout_s), self._room:
                began = True
                return await self._follow(url, _Wish(param, weigh))
        except TimeoutError:
            if not began:
                raise Overloaded("Too many pictures are being downloaded.", retry_after=1) from None
            raise _failed(f"took longer than {self._settings.timeout_s:g} s", param) from None
        except Refused as refused:
            raise _not_allowed(str(refused), param) from None
        except TROUBLE as error:
            raise _failed("could not be downloaded", param) from error

    async def _follow(self, url: str, wish: _Wish) -> Upload:
        for _ in range(self._settings.max_redirects + 1):
            answer = await self._ask(self._guard.checked(url), wish)
            if isinstance(answer, Upload):
                return answer
            url = urljoin(url, answer)
        raise _failed(f"redirects more than {self._settings.max_redirects} times", wish.param)

    async def _ask(self, parts: SplitResult, wish: _Wish) -> Upload | str:
        """The file, or where the answer points to instead."""
        timeouts = {
            "connect": self._settings.connect_timeout_s,
            "read": self._settings.timeout_s,
            "pool": self._settings.timeout_s,
        }
        url, headers = without_fragment(parts), [("Host", parts.netloc), *_HEADERS]
        async with (
            self._guard.pool(parts) as pool,
            pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as response,
        ):
            said = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if response.status in _REDIRECTS and b"location" in said:
                return said[b"location"]
            if response.status != _OK:
                raise _failed(f"answered with status {response.status}", wish.param)
            data = await self._read(response, said.get(b"content-length", ""), wish)
        return Upload(data, said.get(b"content-type", "").partition(";")[0].strip().lower())

    async def _read(self, response: httpcore.Response, declared: str, wish: _Wish) -> bytes:
        """The body: refused by its head if that says enough, and counted while it arrives."""
        much = f"The URL gives more than the {self._max_bytes:,} bytes allowed."
        too_large = TooLarge(much, param=wish.param)
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise too_large
        data = bytearray()
        async for chunk in response.aiter_stream():
            wish.weigh(len(chunk))
            data += chunk
            if len(data) > self._max_bytes:
                raise too_large
        return bytes(data)


def _not_allowed(why: str, param: str) -> PeciaError:
    return InvalidRequest(f"This URL may not be fetched: {why}.", code="invalid_image_url", param=param)


def _failed(why: str, param: str) -> PeciaError:
    return InvalidRequest(
        f"The picture behind this URL {why}. Send it as a data URL.",
        code="failed_to_download_image",
        param=param,
    )
