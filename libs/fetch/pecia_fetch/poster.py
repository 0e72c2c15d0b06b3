"""Messages to addresses that callers named: looked up once, pinned, bounded, redirects not followed."""

import asyncio
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import SplitResult

import httpcore
from pecia_core.errors import InvalidRequest, PeciaError, Unavailable

from pecia_fetch.addresses import AllowedAddresses
from pecia_fetch.guard import TROUBLE, Guard, Refused, Resolve, checked_url, without_fragment
from pecia_fetch.settings import PostSettings

# Of an answer nobody reads more: it is taken only so that the other side may finish politely.
_MAX_ANSWER_BYTES = 64 * 1024
_MAX_DRAIN_S = 1.0
_LOOPBACK = "127.0.0.1"
_HEADERS = {"User-Agent": "pecia", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. `retry_after` = seconds it asks to be left alone; None = it asks for nothing."""

    status: int
    retry_after: float | None = None

    @property
    def good(self) -> bool:
        """Whether the message was taken: 200 to 299."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's successes


class Poster:
    """Sends messages, each on a connection of its own."""

    def __init__(self, settings: PostSettings, resolve: Resolve | None = None) -> None:
        """Connect to nothing yet.

        Args:
            settings: who may be asked, and how long it may take.
            resolve: finds the addresses of a name; None = as the system does.
        """
        self._settings = settings
        self._guard = Guard(settings, settings.max_concurrent, resolve)

    def close(self) -> None:
        """Send nothing any more."""
        self._guard.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send `body`; any status is an answer.

        Raises:
            InvalidRequest: `invalid_webhook_url`, a URL or an address that may not be asked.
            Unavailable: `webhook_unreachable`, no answer in time, or none that can be read.
        """
        limit_s = self._settings.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._ask(self._guard.checked(url), body, headers)
        except TimeoutError:
            raise _unreachable(f"did not answer within {limit_s:g} s") from None
        except Refused as refused:
            raise _not_allowed(str(refused), None) from None
        except httpcore.ProtocolError as error:
            raise _unreachable("did not answer as HTTP servers do") from error
        except TROUBLE as error:
            raise _unreachable("could not be reached") from error

    async def _ask(self, parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> Answer:
        limit_s = self._settings.timeout_s
        timeouts = {"connect": self._settings.connect_timeout_s, "read": limit_s, "write": limit_s}
        said = {"Host": parts.netloc, **_HEADERS, **headers, "Content-Length": str(len(body))}
        async with (
            self._guard.pool(parts) as pool,
            pool.stream(
                "POST",
                without_fragment(parts),
                headers=list(said.items()),
                content=body,
                extensions={"timeout": timeouts},
            ) as response,
        ):
            wait = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
            answer = Answer(response.status, seconds_of(wait.decode("latin-1"), time.time()))
            await _drain(response)
        return answer


def check_receiver(url: str, settings: PostSettings, *, param: str) -> None:
    """Refuse a URL that no message could be sent to. No name is looked up: that is for when it is sent.

    Raises:
        InvalidRequest: `invalid_webhook_url`.
    """
    try:
        parts = checked_url(url, allow_http=settings.allow_http)
    except Refused as refused:
        raise _not_allowed(str(refused), param) from None
    host = parts.hostname or ""
    address = _address_in(host)
    if address and not AllowedAddresses(settings.allowed_private_hosts).allows(host, address):
        raise _not_allowed("its address is not a public one", param)


def seconds_of(retry_after: str, now: float) -> float | None:
    """What a Retry-After header asks for, in seconds or as a date; None = nothing that makes sense."""
    text = retry_after.strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


async def _drain(response: httpcore.Response) -> None:
    # The status has been said; whatever goes wrong from here on changes nothing.
    with suppress(TimeoutError, *TROUBLE):
        async with asyncio.timeout(_MAX_DRAIN_S):
            taken = 0
            async for chunk in response.aiter_stream():
                taken += len(chunk)
                if taken > _MAX_ANSWER_BYTES:
                    return


def _address_in(host: str) -> str:
    """The address a host is written as, in decimal and hexadecimal disguises too; "" = a name."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return _LOOPBACK if host.rstrip(".").lower() == "localhost" else ""


def _not_allowed(why: str, param: str | None) -> PeciaError:
    return InvalidRequest(
        f"Nothing may be sent to this URL: {why}. Name a public https address.",
        code="invalid_webhook_url",
        param=param,
    )


def _unreachable(why: str) -> PeciaError:
    return Unavailable(f"The receiver {why}. It will be tried again.", code="webhook_unreachable")
