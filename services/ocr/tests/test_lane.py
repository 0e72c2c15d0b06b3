"""Worker processes: cancel, crash, hang, replacement, isolation, and that no caller sees another's text."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from time import monotonic

import grpc
import numpy as np
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_ocr.engines.scripted import digest_of
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, scripted_settings, until

StartServer = Callable[..., Awaitable[OcrServer]]


def _request(data: bytes, ref_text: str = "") -> ocr_pb2.RecognizeRequest:
    options = ocr_pb2.RecognizeOptions(model="scripted", ref_text=ref_text)
    return ocr_pb2.RecognizeRequest(picture=ocr_pb2.Picture(encoded=data), options=options)


async def test_a_cancelled_page_frees_its_worker(server: OcrServer, channel: grpc.aio.Channel) -> None:
    """Well within the 200 ms asked for, times the slack a busy machine needs; no process is replaced."""
    lane = server.lanes[0]
    pids = set(lane.worker_pids)
    call = ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request(picture(), "slow"))
    waiting = asyncio.ensure_future(call.wait_for_connection())
    await until(lambda: lane.running == 1)
    began = monotonic()
    call.cancel()
    await until(lambda: lane.free_slots == 2)
    assert monotonic() - began < 1.0
    assert set(lane.worker_pids) == pids
    waiting.cancel()


async def test_a_cancelled_page_leaves_the_queue(start_server: StartServer) -> None:
    """It is never begun."""
    server = await start_server(scripted_settings(engines={"scripted_workers": 1}))
    lane = server.lanes[0]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        running = asyncio.ensure_future(stub.Recognize(_request(picture(), "slow count=10")))
        await until(lambda: lane.running == 1)
        queued = stub.Recognize(_request(picture(), "slow"))
        outcome = asyncio.ensure_future(queued.code())
        await until(lambda: lane.queue_length == 1)
        queued.cancel()
        await until(lambda: lane.queue_length == 0)
        assert await outcome is grpc.StatusCode.CANCELLED
        await running


async def test_a_page_that_does_not_listen_is_ended_with_its_process(start_server: StartServer) -> None:
    """After the grace a hung worker is replaced, and the lane has its slot back."""
    server = await start_server(scripted_settings(engines={"scripted_workers": 1, "cancel_grace_s": 0.2}))
    lane = server.lanes[0]
    (pid,) = lane.worker_pids
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Recognize(_request(picture(), "hang"), timeout=0.5)
        await until(lambda: lane.free_slots == 1)
        assert lane.worker_pids != [pid]
        assert (await stub.Recognize(_request(picture()))).recognition.text


async def test_a_worker_killed_while_idle_is_replaced_unnoticed(
    server: OcrServer, channel: grpc.aio.Channel
) -> None:
    """The next callers get an answer."""
    lane = server.lanes[0]
    pids = lane.worker_pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not set(lane.worker_pids) & set(pids) and lane.free_slots == 2)
    assert (await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(_request(picture()))).recognition.text


async def test_a_crash_fails_one_page_only(server: OcrServer, channel: grpc.aio.Channel) -> None:
    """Pages beside it are answered; the worker comes back."""
    stub = ocr_pb2_grpc.OcrServiceStub(channel)
    good = [stub.Recognize(_request(picture(), "slow count=3")) for _ in range(3)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Recognize(_request(picture(), "crash"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert all(reply.recognition.text for reply in await asyncio.gather(*good))
    await until(lambda: server.lanes[0].free_slots == 2)


async def test_no_caller_sees_the_text_of_another(start_server: StartServer) -> None:
    """1,000 interleaved calls with different pictures, a tenth of them cancelled half-way."""
    server = await start_server(scripted_settings(limits={"max_queue_length": 2000}))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)

        async def one(number: int) -> bool:
            color = (number % 256, number // 256, 7)
            call = stub.Recognize(_request(picture(color, (8, 8)), "lines count=3"))
            if number % 10 == 0:
                await asyncio.sleep(0.001 * (number % 37))
                call.cancel()
                return True
            mine = digest_of(np.full((8, 8, 3), color, np.uint8))
            text = (await call).recognition.text
            return all(line.startswith(mine) for line in text.split("\n"))

        assert all(await asyncio.gather(*(one(number) for number in range(1000))))
    await until(lambda: server.lanes[0].free_slots == 2)


async def test_workers_see_no_secrets(monkeypatch: pytest.MonkeyPatch, start_server: StartServer) -> None:
    """The environment of the process that decodes pictures is nearly empty."""
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    server = await start_server()
    for pid in server.lanes[0].worker_pids:
        with open(f"/proc/{pid}/environ", "rb") as environ:  # noqa: ASYNC230, PTH123 - procfs answers at once
            assert b"secret" not in environ.read()
