"""Messages to receivers: real servers, every way they can misbehave, and every address that is refused."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest, PeciaError, Unavailable
from pecia_fetch.poster import Poster, check_receiver, seconds_of
from pecia_fetch.settings import PostSettings

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def _receiver(
    answer: bytes | Callable[[str], bytes], *, then: float = 0.0
) -> AsyncIterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server of our own that waits `then` seconds after its answer; gives its URL and what it was sent."""
    got: list[tuple[str, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line[15:]) for line in head.lower().splitlines() if line[:15] == "content-length:"
            )
            got.append((head, await reader.readexactly(length)))
            writer.write(answer(head) if callable(answer) else answer)
            await writer.drain()
            await asyncio.sleep(then)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got


def _poster(**settings: Any) -> Poster:
    ours = {"allow_http": True, "allowed_private_hosts": ("127.0.0.1/32",), "timeout_s": 5.0}
    return Poster(PostSettings(**(ours | settings)))


async def _refusal(poster: Poster, url: str) -> PeciaError:
    with pytest.raises(PeciaError) as caught:
        await poster.post(url, b"{}", {})
    return caught.value


async def test_a_message_arrives_as_it_was_given() -> None:
    """Its bytes, its headers, its path and query; nothing of the fragment."""
    async with _receiver(_OK) as (base, got):
        answer = await _poster().post(f"{base}/in?a=b#c", b'{"x": 1}', {"webhook-id": "evt_1"})
    ((head, body),) = got
    assert (answer.status, answer.good, answer.retry_after, body) == (200, True, None, b'{"x": 1}')
    assert head.startswith("POST /in?a=b HTTP/1.1\r\n")
    assert "webhook-id: evt_1" in head.lower()
    assert "content-length: 8" in head.lower()


@pytest.mark.parametrize("status", [204, 299])
async def test_every_success_is_good(status: int) -> None:
    """Receivers answer with whatever success they like."""
    async with _receiver(f"HTTP/1.1 {status} Fine\r\nConnection: close\r\n\r\n".encode()) as (base, _):
        assert (await _poster().post(base, b"{}", {})).good


@pytest.mark.parametrize("status", [301, 307, 400, 410, 500, 503])
async def test_any_other_status_is_an_answer(status: int) -> None:
    """What it means is for the caller to say."""
    async with _receiver(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode()) as (base, _):
        answer = await _poster().post(base, b"{}", {})
    assert (answer.status, answer.good) == (status, False)


async def test_redirects_are_not_followed() -> None:
    """A message is for whom it was addressed to; another address would have to be checked and signed for."""
    async with _receiver(_OK) as (other, elsewhere):
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n".encode()
        async with _receiver(moved) as (base, got):
            answer = await _poster().post(base, b"{}", {})
    assert (answer.status, len(got), elsewhere) == (307, 1, [])


async def test_an_answer_that_never_ends_is_left() -> None:
    """Its status counts; its body is read no further than politeness asks."""
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000
    async with _receiver(endless, then=60) as (base, _):
        began = time.monotonic()
        assert (await _poster(timeout_s=30.0).post(base, b"{}", {})).good
    assert time.monotonic() - began < 10


async def test_an_answer_that_drips_is_left() -> None:
    """A body that was promised and does not come changes nothing of the status."""
    async with _receiver(b"HTTP/1.1 202 Yes\r\nContent-Length: 1000\r\n\r\nx", then=60) as (base, _):
        began = time.monotonic()
        assert (await _poster(timeout_s=30.0).post(base, b"{}", {})).status == 202
    assert time.monotonic() - began < 10


async def test_a_receiver_that_says_nothing_is_left() -> None:
    """The whole exchange has a time."""
    async with _receiver(b"", then=60) as (base, _):
        error = await _refusal(_poster(timeout_s=0.3), base)
    assert isinstance(error, Unavailable)
    assert (error.code, error.message) == (
        "webhook_unreachable",
        "The receiver did not answer within 0.3 s. It will be tried again.",
    )


async def test_nobody_there() -> None:
    """A closed port."""
    async with _receiver(_OK) as (base, _):
        pass
    assert (await _refusal(_poster(), base)).code == "webhook_unreachable"


async def test_what_is_no_http_is_no_answer() -> None:
    """And what it said is not repeated to anybody."""
    async with _receiver(b"SSH-2.0-secret\r\n\r\n") as (base, _):
        error = await _refusal(_poster(), base)
    assert error.code == "webhook_unreachable"
    assert "secret" not in error.message


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "https://u:p@a.example/", "/a", "https://a.example/ö", "x"]
)
async def test_urls_that_can_never_be_asked(url: str) -> None:
    """They are refused when they are named, and when they are sent to."""
    error = await _refusal(_poster(), url)
    assert isinstance(error, InvalidRequest)
    assert error.code == "invalid_webhook_url"
    with pytest.raises(InvalidRequest) as caught:
        check_receiver(url, PostSettings(), param="webhook_url")
    assert (caught.value.code, caught.value.param) == ("invalid_webhook_url", "webhook_url")


async def test_http_is_off_unless_it_is_allowed() -> None:
    """What is sent in the clear can be read on the way."""
    async with _receiver(_OK) as (base, got):
        assert (await _refusal(_poster(allow_http=False), base)).code == "invalid_webhook_url"
    assert got == []
    check_receiver("http://a.example/", PostSettings(allow_http=True), param="webhook_url")
    check_receiver("https://a.example/in?x=1", PostSettings(), param="webhook_url")


async def test_a_private_address_is_refused_unless_it_was_named() -> None:
    """The same receiver, without the setting: nothing arrives there."""
    async with _receiver(_OK) as (base, got):
        error = await _refusal(_poster(allowed_private_hosts=()), base)
    assert (error.code, got) == ("invalid_webhook_url", [])


async def test_a_name_that_turns_private_is_refused_when_it_does() -> None:
    """Public when the job was made, private when it ends: every message looks again, once."""
    answers = iter([["127.0.0.2"], ["127.0.0.1"], ["169.254.169.254"]])

    async def rebinding(_host: str, _port: int) -> list[str]:
        return next(answers)

    async with _receiver(_OK) as (base, got):
        settings = PostSettings(allow_http=True, allowed_private_hosts=("127.0.0.1",))
        poster, url = Poster(settings, rebinding), base.replace("127.0.0.1", "evil.example")
        assert (await _refusal(poster, url)).code == "invalid_webhook_url"
        assert got == []
        assert (await poster.post(url, b"{}", {})).good
        assert (await _refusal(poster, url)).code == "invalid_webhook_url"
    assert len(got) == 1


def test_retry_after() -> None:
    """Seconds or a date; a date that has passed is now; nonsense is nothing."""
    now = 1_700_000_000.0
    assert seconds_of(" 120 ", now) == 120
    assert seconds_of(formatdate(now + 90, usegmt=True), now) == 90
    assert seconds_of(formatdate(now - 90, usegmt=True), now) == 0
    for nonsense in ("", "soon", "-5", "1.5", "²", "Fri, 99 Foo 2026 00:00:00 GMT"):
        assert seconds_of(nonsense, now) is None


async def test_retry_after_is_told() -> None:
    """With whatever status it comes."""
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    async with _receiver(busy) as (base, _):
        assert (await _poster().post(base, b"{}", {})).retry_after == 7
