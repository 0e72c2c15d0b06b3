"""Engines whose process ends: pages wait for the next one, or are told, or the pod is no longer alive."""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.vocabulary import EngineState
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import picture, scripted_settings, until

StartServer = Callable[..., Awaitable[OcrServer]]
_SERVING = health_pb2.HealthCheckResponse.SERVING
_TORCH_S = 300.0  # for its import alone, on a busy machine
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _status(server: OcrServer, name: str) -> "health_pb2.HealthCheckResponse.ServingStatus":
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        return (await health.Check(health_pb2.HealthCheckRequest(service=name))).status


def _kill(server: OcrServer, lane: int = 0) -> None:
    for pid in server.lanes[lane].worker_pids:
        os.kill(pid, signal.SIGKILL)


async def test_an_engine_that_cannot_load_is_not_alive(start_server: StartServer, tmp_path: Path) -> None:
    """Its pod is restarted; one with another engine beside it lives on, since that one answers."""
    alone = Settings.model_validate(
        {"grpc": {"port": 0}, "engines": {"rapid": False, "tesseract": False}, "model_path": tmp_path}
    )
    server = await start_server(alone, ready=False)
    await until(lambda: server.lanes[0].state is EngineState.UNAVAILABLE, _TORCH_S)
    await asyncio.sleep(0.1)
    assert await _status(server, "") == _NOT_SERVING
    beside = scripted_settings()
    beside.model_path = tmp_path
    server = await start_server(beside, ready=False)
    lanes = server.lanes
    await until(lambda: lanes[0].state is EngineState.UNAVAILABLE and server.registry.ready, _TORCH_S)
    await asyncio.sleep(0.1)
    assert await _status(server, "") == _SERVING
    assert await _status(server, "pecia.ocr.v1.OcrService") == _SERVING


async def test_an_engine_that_loads_again_says_so(start_server: StartServer) -> None:
    """When patience is over, callers are told to come back; the process is alive all the time."""
    settings = scripted_settings(engines={"scripted_workers": 1, "reload_patience_s": 0.0})
    server = await start_server(settings)
    lane = server.lanes[0]
    _kill(server)
    await until(lambda: lane.state is EngineState.LOADING)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        request = ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(encoded=picture()),
            options=ocr_pb2.RecognizeOptions(model="scripted"),
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(request)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "loading" in (caught.value.details() or "")
        assert await _status(server, "") == _SERVING
        await until(lambda: lane.state is EngineState.READY)
        assert (await stub.Recognize(request)).recognition.text


async def test_within_patience_nobody_is_sent_away(start_server: StartServer) -> None:
    """An engine that is back in a second stays ready, and who comes meanwhile waits that second."""
    server = await start_server(scripted_settings(engines={"scripted_workers": 1}))
    _kill(server)
    await until(lambda: server.lanes[0].free_slots == 0)
    assert server.lanes[0].state is EngineState.READY
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        options = ocr_pb2.RecognizeOptions(model="scripted")
        request = ocr_pb2.RecognizeRequest(picture=ocr_pb2.Picture(encoded=picture()), options=options)
        assert (await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(request)).recognition.text


async def test_an_engine_lost_for_good_ends_the_pod(
    start_server: StartServer, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    """Its process ended and the next one cannot load: only a new pod might, though others answer."""
    pytest.importorskip("torch")
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    settings = scripted_settings(deepseek={"device": "cpu", "pages_at_once": 1})
    settings.model_path = folder
    server = await start_server(settings)
    assert await _status(server, "") == _SERVING
    shutil.rmtree(folder)
    _kill(server)
    await until(lambda: server.lanes[0].lost, _TORCH_S)
    await asyncio.sleep(0.1)
    assert await _status(server, "") == _NOT_SERVING
    assert await _status(server, "pecia.ocr.v1.OcrService") == _SERVING
    assert server.broken.is_set()
