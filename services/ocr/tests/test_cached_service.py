"""The cache seen over the socket: who is answered without work, who never is, and who shares a reading."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import numpy as np
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_ocr.engines.scripted import digest_of
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, running, scripted_settings, until
from prometheus_client import generate_latest
from redis.asyncio import Redis

StartServer = Callable[..., Awaitable[OcrServer]]
Stub = Any  # calls that are awaited
NO_CACHE = (("cache-control", "no-cache"),)


def _request(data: bytes | None = None, **options: Any) -> ocr_pb2.RecognizeRequest:
    return ocr_pb2.RecognizeRequest(
        picture=ocr_pb2.Picture(encoded=picture() if data is None else data),
        options=ocr_pb2.RecognizeOptions(**{"model": "scripted"} | options),
    )


def _stream(**options: Any) -> ocr_pb2.RecognizeStreamRequest:
    request = _request(**options)
    return ocr_pb2.RecognizeStreamRequest(picture=request.picture, options=request.options)


def _tenant(name: str) -> tuple[tuple[str, str], ...]:
    return (("x-pecia-tenant", name),)


def _count(server: OcrServer, outcome: str) -> float:
    value = server.metrics_registry.get_sample_value("pecia_cache_requests_total", {"outcome": outcome})
    assert value is not None
    return value


@asynccontextmanager
async def serving(**changes: Any) -> AsyncIterator[tuple[OcrServer, Stub]]:
    """A service that keeps results, and a caller's end."""
    settings = scripted_settings(**{"cache": {"enabled": True}, **changes})
    async with running(settings) as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield server, ocr_pb2_grpc.OcrServiceStub(channel)
        await until(lambda: not len(server.pipeline.flights))
        assert server.lanes[0].free_slots == server.lanes[0].slots


async def test_the_same_page_is_read_once() -> None:
    """The second answer says so, is the same in all but its times, and took no engine."""
    async with serving() as (server, stub):
        first = (await stub.Recognize(_request(ref_text="slow count=3", page_index=1))).recognition
        second = (await stub.Recognize(_request(ref_text="slow count=3", page_index=4))).recognition
        assert (first.cached, second.cached) == (False, True)
        assert second.text == first.text
        assert (first.page.index, second.page.index) == (1, 4)
        assert (second.timings.engine_ms, second.timings.queue_ms, second.timings.decode_ms) == (0, 0, 0)
        assert 0 < second.timings.total_ms < first.timings.total_ms
        for recognition in (first, second):
            recognition.ClearField("timings")
            recognition.ClearField("cached")
            recognition.page.index = 0
        assert first == second
        assert (_count(server, "miss"), _count(server, "hit")) == (1, 1)
        assert b'pecia_cache_requests_total{outcome="bypass"} 0.0' in generate_latest(server.metrics_registry)


async def test_a_kept_page_is_streamed_like_a_read_one() -> None:
    """The same deltas, lines and blocks in the same order; the deltas joined are the text."""
    async with serving() as (_, stub):
        read = [event async for event in stub.RecognizeStream(_stream(ref_text="lines"))]
        kept = [event async for event in stub.RecognizeStream(_stream(ref_text="lines"))]
    assert (read[0].started.cached, kept[0].started.cached) == (False, True)
    assert (read[-1].finished.cached, kept[-1].finished.cached) == (False, True)
    assert read[1:-1] == kept[1:-1]
    assert "".join(event.delta.text for event in kept) == kept[-1].finished.text
    assert kept[-1].finished.text == read[-1].finished.text


@pytest.mark.parametrize(
    "change",
    [
        {"data": picture((1, 1, 1))},
        {"ref_text": "lines count=2"},
        {"task_type": ocr_pb2.TASK_TYPE_LINES},
        {"languages": ["ind"]},
        {"sampling": ocr_pb2.Sampling(max_tokens=7)},
    ],
)
async def test_another_page_is_another_page(change: dict[str, Any]) -> None:
    """Other bytes or options are never answered with this result."""
    async with serving() as (_, stub):
        await stub.Recognize(_request(ref_text="default"))
        reply = await stub.Recognize(_request(**{"ref_text": "default", **change}))
        assert not reply.recognition.cached


async def test_tenants_never_meet() -> None:
    """The same picture by two tenants is two readings, one after the other and at the same moment."""
    async with serving() as (server, stub):
        for tenant in ("acme", "umbrella"):
            assert not (await stub.Recognize(_request(), metadata=_tenant(tenant))).recognition.cached
        assert (await stub.Recognize(_request(), metadata=_tenant("acme"))).recognition.cached
        slow = _request(ref_text="slow count=3")
        await asyncio.gather(*(stub.Recognize(slow, metadata=_tenant(name)) for name in ("acme", "umbrella")))
        assert (_count(server, "miss"), _count(server, "joined")) == (4, 0)


async def test_a_caller_may_want_it_read() -> None:
    """no-cache reads and renews the result; no-store reads and leaves nothing."""
    async with serving() as (server, stub):
        for metadata in ((("cache-control", "no-store"),), NO_CACHE, NO_CACHE):
            assert not (await stub.Recognize(_request(), metadata=metadata)).recognition.cached
            assert len(server.pipeline.flights) == 0
        assert (await stub.Recognize(_request())).recognition.cached
        other = _request(picture((9, 9, 9)))
        await stub.Recognize(other, metadata=(("cache-control", "max-age=0, No-Store"),))
        assert not (await stub.Recognize(other)).recognition.cached
        assert _count(server, "bypass") == 4


@pytest.mark.parametrize("ref_text", ["default finish_reason=length", "default finish_reason=repetition"])
async def test_a_suspicious_result_is_not_kept(ref_text: str) -> None:
    """What ended early or ran in circles is read again when asked for again."""
    async with serving() as (_, stub):
        for _ in range(2):
            assert not (await stub.Recognize(_request(ref_text=ref_text))).recognition.cached


async def test_chance_is_not_kept() -> None:
    """Sampling without a seed is read each time, with one it is the same page."""
    async with serving() as (_, stub):
        for seed, kept in ((None, False), (7, True)):
            sampling = ocr_pb2.Sampling(temperature=0.5, seed=seed)
            replies = [await stub.Recognize(_request(sampling=sampling)) for _ in range(2)]
            assert [reply.recognition.cached for reply in replies] == [False, kept]


async def test_an_error_is_not_kept() -> None:
    """A page that failed is tried again."""
    async with serving() as (server, stub):
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Recognize(_request(ref_text="fail"))
        assert (_count(server, "miss"), _count(server, "hit")) == (2, 0)


async def test_raw_pixels_are_known_by_their_shape() -> None:
    """The same bytes as another shape are another picture; the same again is a hit."""
    data = bytes(range(48))
    async with serving() as (_, stub):

        async def cached(width: int, height: int) -> bool:
            request = _request()
            request.picture.raw.CopyFrom(ocr_pb2.RawPixels(width=width, height=height, channels=3, data=data))
            return bool((await stub.Recognize(request)).recognition.cached)

        assert [await cached(4, 4), await cached(8, 2), await cached(4, 4)] == [False, False, True]


async def test_a_blob_is_known_by_its_bytes(tmp_path: Path) -> None:
    """A blob that changed under its key is read again; another key with the same bytes is a hit."""
    async with serving(blobs={"root": tmp_path}) as (_, stub):

        async def cached(key: str, data: bytes) -> bool:
            (tmp_path / key).write_bytes(data)
            request = _request()
            request.picture.blob.key = key
            return bool((await stub.Recognize(request)).recognition.cached)

        white, black = picture(), picture((0, 0, 0))
        assert [await cached("a", white), await cached("a", black), await cached("b", white)] == [
            False,
            False,
            True,
        ]


async def test_a_kept_page_needs_no_room() -> None:
    """With every worker busy and the queue full, a hit is answered at once; a miss is refused."""
    async with serving(limits={"max_queue_length": 0}, engines={"scripted_workers": 1}) as (server, stub):
        await stub.Recognize(_request())
        busy = asyncio.ensure_future(stub.Recognize(_request(ref_text="slow")))
        await until(lambda: server.lanes[0].running == 1)
        assert (await stub.Recognize(_request())).recognition.cached
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(_request(picture((1, 2, 3))))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.Recognize(_request(), timeout=1.0)).recognition.cached
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)


async def test_a_page_beyond_the_limits_is_refused_although_it_was_read() -> None:
    """The picture's own limits are looked at first."""
    async with serving() as (server, stub):
        await stub.Recognize(_request())
        server.settings.limits.max_picture_pixels = 10
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(_request())
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_callers_at_the_same_moment_share_a_reading() -> None:
    """Unary and streaming callers hear the same page, in their own times; a queue of none is room enough."""
    async with serving(limits={"max_queue_length": 0}, engines={"scripted_workers": 1}) as (server, stub):
        first = asyncio.ensure_future(stub.Recognize(_request(ref_text="slow count=8")))
        await until(lambda: server.lanes[0].running == 1)
        await asyncio.sleep(0.35)

        async def streamed() -> tuple[list[str], ocr_pb2.Recognition]:
            events = [event async for event in stub.RecognizeStream(_stream(ref_text="slow count=8"))]
            return [event.delta.text for event in events if event.HasField("delta")], events[-1].finished

        second = stub.Recognize(_request(ref_text="slow count=8", page_index=3))
        (deltas, finished), reply, begun = await asyncio.gather(streamed(), second, first)
        assert "".join(deltas) == finished.text == reply.recognition.text == begun.recognition.text
        assert len(deltas) == 8
        assert reply.recognition.page.index == 3
        assert not any(one.cached for one in (finished, reply.recognition, begun.recognition))
        for one in (finished, reply.recognition):
            assert one.timings.total_ms < begun.recognition.timings.total_ms
            assert one.timings.engine_ms <= one.timings.total_ms
        assert (_count(server, "miss"), _count(server, "joined")) == (1, 2)


async def test_the_first_callers_leaving_fails_nobody() -> None:
    """The reading goes on for who joined; when they have gone too, the worker is free within 200 ms."""
    async with serving() as (server, stub):
        lane = server.lanes[0]
        calls = [stub.Recognize(_request(ref_text="slow")) for _ in range(3)]
        outcomes = [asyncio.ensure_future(call.code()) for call in calls]
        await until(lambda: _count(server, "joined") == 2)
        calls[0].cancel()
        assert await outcomes[0] is grpc.StatusCode.CANCELLED
        await asyncio.sleep(0.2)
        assert (lane.running, len(server.pipeline.flights)) == (1, 1)
        calls[1].cancel()
        began = monotonic()
        calls[2].cancel()
        await until(lambda: lane.free_slots == 2)
        assert monotonic() - began < 1.0  # 200 ms, with the room a busy machine needs
        await asyncio.gather(*outcomes)


async def test_each_has_a_deadline_of_their_own() -> None:
    """Who gives little time is told so; the page is read for the other."""
    async with serving() as (server, stub):
        request = _request(ref_text="slow count=10")
        hasty = stub.Recognize(request, timeout=0.3)
        hasty_code = asyncio.ensure_future(hasty.code())
        await until(lambda: server.lanes[0].running == 1)
        patient = stub.Recognize(request, timeout=30)
        assert await hasty_code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len((await patient).recognition.text.split("\n")) == 10
        assert (_count(server, "miss"), _count(server, "joined")) == (1, 1)


async def test_a_failure_is_everybodys() -> None:
    """All who shared the reading get its error with its code; nobody crashes a second worker."""
    async with serving() as (server, stub):
        request = _request(ref_text="crash count=5 delay_s=0.1")
        outcomes = await asyncio.gather(*(stub.Recognize(request) for _ in range(4)), return_exceptions=True)
        codes = [outcome.code() for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
        assert codes == [grpc.StatusCode.UNAVAILABLE] * 4
        assert _count(server, "miss") + _count(server, "joined") == 4
        await until(lambda: server.lanes[0].free_slots == 2)


async def test_urgent_pages_do_not_wait_in_the_place_of_others() -> None:
    """A page asked for with another priority is a reading of its own, and the result answers both."""
    async with serving() as (server, stub):
        priorities = (ocr_pb2.PRIORITY_FLEX, ocr_pb2.PRIORITY_PRIORITY)
        requests = [_request(ref_text="slow count=3", priority=priority) for priority in priorities]
        await asyncio.gather(*map(stub.Recognize, requests))
        assert (_count(server, "miss"), _count(server, "joined")) == (2, 0)
        assert (await stub.Recognize(requests[0])).recognition.cached


async def test_pods_find_each_others_results(redis: Any) -> None:
    """What one process read, another one answers from Redis; without Redis both go on reading."""
    cache = {"enabled": True, "redis_url": redis.url}
    async with serving(cache=cache) as (_, stub), serving(cache=cache) as (_, other):
        assert not (await stub.Recognize(_request())).recognition.cached
        async with asyncio.timeout(20), aclosing(Redis.from_url(redis.url)) as looking:
            while not await looking.keys("pecia:result:*"):
                await asyncio.sleep(0.02)
        assert (await other.Recognize(_request())).recognition.cached
        assert not (await other.Recognize(_request(), metadata=_tenant("acme"))).recognition.cached
        redis.process.kill()
        redis.process.wait()
        for colour in range(3):
            assert (await other.Recognize(_request(picture((colour, 7, 7))))).recognition.text
        assert (await stub.Recognize(_request())).recognition.cached


async def test_a_thousand_callers_over_few_pages() -> None:
    """1,000 interleaved calls over six pages, a fifth cancelled: all texts right, nothing left.

    The queue holds two pages; those who are refused are told so. In the end every worker is free, and no
    picture's bytes are counted.
    """
    chance = random.Random(11)  # noqa: S311 - a race, not a secret
    colours = [(number, 50, 50) for number in range(6)]
    digests = [digest_of(np.full((8, 8, 3), colour, np.uint8)) for colour in colours]
    async with serving(limits={"max_queue_length": 2}) as (server, stub):

        async def one() -> str:
            number = chance.randrange(6)
            ref_text = f"lines count=4 delay_s={chance.choice((0, 0.01))}"
            await asyncio.sleep(chance.random() * 2)
            call = stub.Recognize(
                _request(picture(colours[number], (8, 8)), ref_text=ref_text),
                metadata=chance.choice(((), (), (), NO_CACHE)),
            )
            if chance.random() < 0.2:
                await asyncio.sleep(chance.random() * 0.05)
                call.cancel()
            try:
                text = (await call).recognition.text
            except asyncio.CancelledError:
                return "cancelled"
            except grpc.aio.AioRpcError as error:
                return "refused" if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED else "failed"
            assert all(line.startswith(digests[number]) for line in text.split("\n"))
            return "read"

        outcomes = await asyncio.gather(*(one() for _ in range(1000)))
        assert outcomes.count("read") > 300
        assert "failed" not in outcomes
        assert outcomes.count("cancelled") > 20
        await until(lambda: server.lanes[0].free_slots == 2 and not len(server.pipeline.flights))
        held = server.pipeline._admission._held
        assert (held.data_bytes.total(), held.promised.total()) == (0, 0)
        assert server.lanes[0].queue_length == server.lanes[0].running == 0
