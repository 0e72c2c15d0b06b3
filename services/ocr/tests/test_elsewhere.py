"""Two processes of the service and one Redis: a page that one is reading is waited for by the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from time import monotonic
from typing import Any

import grpc
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_ocr.cache import Elsewhere, RedisLink
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, running, scripted_settings, until
from redis.asyncio import Redis

Pod = tuple[OcrServer, Any]


def _request(data: bytes | None = None, ref_text: str = "slow count=10") -> ocr_pb2.RecognizeRequest:
    return ocr_pb2.RecognizeRequest(
        picture=ocr_pb2.Picture(encoded=data or picture()),
        options=ocr_pb2.RecognizeOptions(model="scripted", ref_text=ref_text),
    )


@pytest.fixture
async def pods(redis: Any) -> AsyncIterator[list[Pod]]:
    """Two services with one worker each, and a caller's end of each."""
    settings = {"cache": {"enabled": True, "redis_url": redis.url}, "engines": {"scripted_workers": 1}}
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(2):
            server = await stack.enter_async_context(running(scripted_settings(**settings)))
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}"))
            found.append((server, ocr_pb2_grpc.OcrServiceStub(channel)))
        yield found


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Elsewhere]:
    """One process's end."""
    elsewhere = Elsewhere(RedisLink(url))
    try:
        yield elsewhere
    finally:
        await elsewhere.close()


async def marks(redis: Any) -> int:
    """Pages marked as being read."""
    async with aclosing(Redis.from_url(redis.url)) as looking:
        return len(await looking.keys("pecia:reading:*"))


async def marked(redis: Any, count: int = 1) -> None:
    """Wait until so many pages are."""
    async with asyncio.timeout(20):
        while await marks(redis) != count:
            await asyncio.sleep(0.01)


async def test_a_page_read_elsewhere_is_waited_for(pods: list[Pod], redis: Any) -> None:
    """Asked of both, it is read by one; both have the whole text, and neither was answered without work."""
    (_, stub), (other, other_stub) = pods
    first = asyncio.ensure_future(stub.Recognize(_request()))
    await marked(redis)
    second = asyncio.ensure_future(other_stub.Recognize(_request()))
    await until(lambda: len(other.pipeline.flights) == 1)
    while not second.done():
        assert other.lanes[0].running == 0
        await asyncio.sleep(0.02)
    one, two = (await first).recognition, (await second).recognition
    assert one.text == two.text
    assert (one.cached, two.cached) == (False, False)
    assert two.timings.engine_ms <= two.timings.total_ms
    assert (await other_stub.Recognize(_request())).recognition.cached
    await marked(redis, 0)


async def test_a_page_given_up_elsewhere_is_read_here(pods: list[Pod], redis: Any) -> None:
    """When the one who read has lost its callers, the other one begins."""
    (_, stub), (other, other_stub) = pods
    first = stub.Recognize(_request())
    gone = asyncio.ensure_future(first.code())
    await marked(redis)
    second = asyncio.ensure_future(other_stub.Recognize(_request()))
    await until(lambda: len(other.pipeline.flights) == 1)
    first.cancel()
    assert await gone is grpc.StatusCode.CANCELLED
    assert len((await second).recognition.text.split("\n")) == 10


async def test_a_result_that_is_not_kept_is_not_waited_for_twice(pods: list[Pod], redis: Any) -> None:
    """Text that was cut short elsewhere is read again here."""
    (_, stub), (other, other_stub) = pods
    request = _request(ref_text="slow count=5 finish_reason=length")
    first = asyncio.ensure_future(stub.Recognize(request))
    await marked(redis)
    second = asyncio.ensure_future(other_stub.Recognize(request))
    await until(lambda: other.lanes[0].running == 1)
    assert (await first).recognition.text == (await second).recognition.text


async def test_an_idle_process_does_not_wait_for_a_busy_one(pods: list[Pod], redis: Any) -> None:
    """A page in the queue of another process is not being read: it is read here at once."""
    (busy, stub), (other, other_stub) = pods
    calls = [stub.Recognize(_request(picture((9, 9, 9)), "slow"))]
    await marked(redis)
    calls.append(stub.Recognize(_request()))
    codes = [asyncio.ensure_future(call.code()) for call in calls]
    await until(lambda: busy.lanes[0].queue_length == 1)
    second = asyncio.ensure_future(other_stub.Recognize(_request()))
    await until(lambda: other.lanes[0].running == 1)
    assert (await second).recognition.text
    for call in calls:
        call.cancel()
    await asyncio.gather(*codes)


async def test_a_redis_that_dies_meanwhile_ends_the_waiting(pods: list[Pod], redis: Any) -> None:
    """Who waits for another process reads the page itself when nobody can say how that goes."""
    (_, stub), (other, other_stub) = pods
    first = asyncio.ensure_future(stub.Recognize(_request(ref_text="slow count=30")))
    await marked(redis)
    second = asyncio.ensure_future(other_stub.Recognize(_request(ref_text="slow count=30")))
    await until(lambda: len(other.pipeline.flights) == 1)
    redis.process.kill()
    redis.process.wait()
    await until(lambda: other.lanes[0].running == 1)
    assert (await first).recognition.text == (await second).recognition.text


async def test_a_mark_ends_with_its_process(redis: Any) -> None:
    """A process that was killed is waited for until its mark runs out, and not for ever."""
    async with aclosing(Redis.from_url(redis.url)) as dead, linked(redis.url) as elsewhere:
        await dead.set("pecia:reading:page", b"", px=300)
        began = monotonic()
        assert await elsewhere.ended("page")
        assert 0.1 < monotonic() - began < 5
        assert not await elsewhere.ended("page")
        assert not await elsewhere.ended("")


async def test_marks_come_and_go(redis: Any) -> None:
    """A mark never lies without an end, and a hundred that came and went at once leave none."""
    async with linked(redis.url) as elsewhere:
        with elsewhere.marked("page"):
            await marked(redis)
            async with aclosing(Redis.from_url(redis.url)) as looking:
                assert 0 < await looking.pttl("pecia:reading:page") <= 3000
        await marked(redis, 0)
        for number in range(100):
            with elsewhere.marked(f"page{number}"):
                for _ in range(number % 7):
                    await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await elsewhere.close()
        await marked(redis, 0)
