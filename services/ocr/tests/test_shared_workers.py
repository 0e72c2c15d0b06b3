"""Workers that read several pages at once: what one page does to those beside it, and growing old."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import grpc
import numpy as np
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.recognition import Delta, Event, Recognition, RecognizeOptions
from pecia_ocr.engines.scripted import digest_of
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.scheduling.process import EngineSpec
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import worker_environment
from pecia_ocr.testing import picture, scripted_settings, until

StartServer = Callable[..., Awaitable[OcrServer]]

ONE_WORKER: Mapping[str, object] = {"scripted_workers": 1, "scripted_pages_per_worker": 3}


def _request(data: bytes, ref_text: str = "") -> ocr_pb2.RecognizeRequest:
    options = ocr_pb2.RecognizeOptions(model="scripted", ref_text=ref_text)
    return ocr_pb2.RecognizeRequest(picture=ocr_pb2.Picture(encoded=data), options=options)


async def test_pages_are_read_side_by_side(start_server: StartServer) -> None:
    """Three places in one process; a fourth page waits."""
    server = await start_server(scripted_settings(engines=ONE_WORKER))
    lane = server.lanes[0]
    assert (lane.slots, lane.free_slots, len(lane.worker_pids)) == (3, 3, 1)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        calls = [asyncio.ensure_future(stub.Recognize(_request(picture(), "slow count=5"))) for _ in range(4)]
        await until(lambda: (lane.running, lane.queue_length) == (3, 1))
        replies = await asyncio.gather(*calls)
    assert all(reply.recognition.text.count("\n") == 4 for reply in replies)
    assert lane.free_slots == 3


async def test_the_page_that_ends_a_worker_fails_alone(start_server: StartServer) -> None:
    """Those beside it are read again, each alone, and their callers notice nothing."""
    server = await start_server(scripted_settings(engines=ONE_WORKER))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        colors = [(200, 10, 10), (10, 200, 10)]
        good = [
            asyncio.ensure_future(stub.Recognize(_request(picture(color), "slow count=8")))
            for color in colors
        ]
        await until(lambda: server.lanes[0].running == 2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(_request(picture(), "crash"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        for color, call in zip(colors, good, strict=True):
            digest = digest_of(np.full((48, 64, 3), color, np.uint8))
            lines = (await call).recognition.text.split("\n")
            assert len(lines) == 8
            assert all(digest in line for line in lines)
        await until(lambda: server.lanes[0].free_slots == 3)


async def test_what_was_streamed_is_not_streamed_again(start_server: StartServer) -> None:
    """A page that is read again goes on where its caller's text ends."""
    server = await start_server(scripted_settings(engines=ONE_WORKER))
    lane = server.lanes[0]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        request = ocr_pb2.RecognizeStreamRequest(
            picture=ocr_pb2.Picture(encoded=picture()),
            options=ocr_pb2.RecognizeOptions(model="scripted", ref_text="slow count=6"),
        )
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        other = asyncio.ensure_future(stub.Recognize(_request(picture((9, 9, 9)), "slow count=30")))
        said, final, kinds = "", "", []
        async for reply in stub.RecognizeStream(request):
            kinds.append(reply.WhichOneof("event"))
            said += reply.delta.text
            final = reply.finished.text
            if kinds.count("delta") == 2 and lane.worker_pids:
                os.kill(lane.worker_pids[0], signal.SIGKILL)
        other.cancel()
    assert said == final
    assert (kinds.count("started"), kinds.count("delta"), kinds.count("finished")) == (1, 6, 1)


async def test_a_page_that_does_not_listen_costs_those_beside_it_only_time(start_server: StartServer) -> None:
    """Its process is ended, and they are read again."""
    server = await start_server(scripted_settings(engines={**ONE_WORKER, "cancel_grace_s": 0.2}))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        good = asyncio.ensure_future(stub.Recognize(_request(picture(), "slow count=20")))
        await until(lambda: server.lanes[0].running == 1)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Recognize(_request(picture(), "hang"), timeout=0.3)
        assert (await good).recognition.text.count("\n") == 19


async def test_a_cancelled_page_leaves_those_beside_it_alone(start_server: StartServer) -> None:
    """Its place is free while they go on, in the same process."""
    server = await start_server(scripted_settings(engines=ONE_WORKER))
    lane = server.lanes[0]
    pids = lane.worker_pids
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        good = asyncio.ensure_future(stub.Recognize(_request(picture(), "slow count=10")))
        bad = stub.Recognize(_request(picture(), "slow count=100"))
        outcome = asyncio.ensure_future(bad.code())
        await until(lambda: lane.running == 2)
        bad.cancel()
        assert await outcome is grpc.StatusCode.CANCELLED
        await until(lambda: lane.free_slots == 2)
        assert (await good).recognition.text
    assert lane.worker_pids == pids


async def test_one_worker_at_a_time_is_replaced_for_its_size() -> None:
    """All of them have grown with every page: there is never more than one process too many."""
    spec = EngineSpec("scripted", {}, worker_environment(), max_resident_bytes=1)
    lane = Lane(spec, workers=3)
    lane.start()
    seen: set[int] = set()
    try:
        await until(lambda: lane.free_slots == 3)
        while len(seen) < 9:
            pages = (lane.read(PageInput(picture(), RecognizeOptions())) for _ in range(3))
            await asyncio.gather(*(_all(events) for events in pages))
            assert 3 <= len(lane.worker_pids) <= 4
            seen.update(lane.worker_pids)
    finally:
        await lane.close()


async def _all(events: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in events]


async def test_a_worker_that_has_grown_is_replaced_without_a_gap() -> None:
    """Its successor is loaded before it goes; no page fails, and no time passes without a worker."""
    spec = EngineSpec("scripted", {}, worker_environment(), max_resident_bytes=1)
    lane = Lane(spec, workers=1)
    lane.start()
    try:
        await until(lambda: lane.free_slots == 1)
        seen = set(lane.worker_pids)
        while len(seen) < 3:
            events = [event async for event in lane.read(PageInput(picture(), RecognizeOptions()))]
            assert isinstance(events[-1], Recognition)
            assert any(isinstance(event, Delta) for event in events)
            assert lane.worker_pids
            seen.update(lane.worker_pids)
        await until(lambda: len(lane.worker_pids) == 1 and lane.free_slots == 1)
    finally:
        await lane.close()
