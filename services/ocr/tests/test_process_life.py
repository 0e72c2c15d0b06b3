"""The service as a process of its own: SIGTERM, kill -9, and what becomes of its workers; on real models."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.testing import sample_receipt
from pecia_ocr.testing import picture
from PIL import Image, ImageDraw, ImageFont

pytestmark = pytest.mark.engine


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


class Service:
    """`python -m pecia_ocr` on a free port."""

    def __init__(self, **environment: str) -> None:
        """Start it and wait until an engine answers."""
        self.port = _free_port()
        settings = {
            "PECIA_GRPC__PORT": str(self.port),
            "PECIA_ENGINES__TESSERACT": "false",
            "PECIA_CACHE__ENABLED": "false",  # these tests send the same page and mean that it is read
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pecia_ocr"],
            env=os.environ | settings | environment,
            stderr=subprocess.DEVNULL,
        )
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub = ocr_pb2_grpc.OcrServiceStub(self.channel)
        _wait(self._ready)

    def _ready(self) -> bool:
        with contextlib.suppress(grpc.RpcError):
            request = health_pb2.HealthCheckRequest(service="pecia.ocr.v1.OcrService")
            reply = health_pb2_grpc.HealthStub(self.channel).Check(request)
            return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
        return False

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def request(self, data: bytes, **options: Any) -> ocr_pb2.RecognizeRequest:
        return ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(encoded=data), options=ocr_pb2.RecognizeOptions(**options)
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def service() -> Iterator[Service]:
    """The rapid engine with one worker."""
    service = Service(PECIA_ENGINES__RAPID_WORKERS="1")
    yield service
    service.channel.close()
    service.process.kill()
    service.process.wait()


def test_kill_9_of_the_service_leaves_no_process(service: Service) -> None:
    """Its workers die with it, even in the middle of a page."""
    workers = service.workers()
    assert workers
    call = service.stub.Recognize.future(service.request(sample_receipt()[0]))
    time.sleep(0.2)
    service.process.kill()
    service.process.wait()
    _wait(lambda: not any(worker.is_running() for worker in workers), seconds=10)
    assert call.exception() is not None


def test_sigterm_finishes_the_page_and_exits_0(service: Service) -> None:
    """The caller gets its text; new callers are refused; nothing is left."""
    workers = service.workers()
    call = service.stub.Recognize.future(service.request(sample_receipt()[0]))
    time.sleep(0.3)
    service.process.send_signal(signal.SIGTERM)
    assert "TOTAL" in call.result(timeout=60).recognition.text
    assert service.process.wait(timeout=30) == 0
    _wait(lambda: not any(worker.is_running() for worker in workers), seconds=10)


def test_a_cancelled_page_frees_the_rapid_engine(service: Service) -> None:
    """Even while the detector works on a large page: the next page is not kept waiting for it."""
    page = picture((250, 250, 250), (3000, 4000))
    service.stub.Recognize(service.request(sample_receipt()[0]))
    slow = service.stub.Recognize.future(service.request(page))
    time.sleep(0.25)
    slow.cancel()
    cancelled = time.monotonic()
    while service.stub.Describe(ocr_pb2.DescribeRequest()).load.running > 0:
        assert time.monotonic() - cancelled < 1.0, "the worker is still busy"
        time.sleep(0.01)
    assert "TOTAL" in service.stub.Recognize(service.request(sample_receipt()[0])).recognition.text


def test_a_killed_worker_is_replaced(service: Service) -> None:
    """One page may fail; the service reads the next one."""
    for worker in service.workers():
        worker.kill()
    _wait(lambda: service.stub.Describe(ocr_pb2.DescribeRequest()).load.free_slots == 2)
    assert "TOTAL" in service.stub.Recognize(service.request(sample_receipt()[0])).recognition.text


def test_callers_with_different_pictures_never_see_each_others_text() -> None:
    """60 interleaved calls on the rapid engine."""
    service = Service(PECIA_ENGINES__RAPID_WORKERS="2")
    try:
        pictures = [sample_receipt()[0], _note("ALPHA"), _note("BRAVO"), _note("CHARLIE")]
        marks = ["TOKO PECIA", "ALPHA", "BRAVO", "CHARLIE"]
        calls = [service.stub.Recognize.future(service.request(pictures[n % 4])) for n in range(60)]
        for number, call in enumerate(calls):
            text = call.result(timeout=120).recognition.text
            assert [mark for mark in marks if mark in text] == [marks[number % 4]]
    finally:
        service.channel.close()
        service.process.terminate()
        assert service.process.wait(timeout=30) == 0


def _note(word: str) -> bytes:
    image = Image.new("RGB", (400, 120), "white")
    ImageDraw.Draw(image).text((40, 30), word, "black", ImageFont.load_default(48))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
