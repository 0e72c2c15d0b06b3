"""The checks that were asked for by name: health, a chat, a little load, end to end, start and memory."""

import base64
import io
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image, ImageDraw, ImageFont

pytestmark = pytest.mark.engine

WORDS = "Hello pecia 2026"


@pytest.fixture(scope="module")
def body() -> dict[str, Any]:
    """A chat about a picture of 800 x 600 pixels with text."""
    sheet = Image.new("RGB", (800, 600), "white")
    ImageDraw.Draw(sheet).text((100, 200), WORDS, "black", ImageFont.load_default(48))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    content = [{"type": "text", "text": "Free OCR."}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": "deepseek-ocr", "messages": [{"role": "user", "content": content}]}


def curl(*arguments: str) -> str:
    """What curl prints."""
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "60", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=90).stdout


def test_curl_of_health(stack: Any) -> None:
    """The body of /health, fetched by curl, says healthy."""
    assert '"status":"healthy"' in curl(f"{stack.url}/health")


def test_end_to_end_within_a_minute(stack: Any, body: dict[str, Any]) -> None:
    """800 x 600 pixels with text, 60 s, 200 and `choices` with the text in it."""
    answer = httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code == 200
    assert WORDS in answer.json()["choices"][0]["message"]["content"]


def test_ten_requests_two_at_a_time(stack: Any, body: dict[str, Any]) -> None:
    """`ab -n 10 -c 2`: none fails, each is answered with the text."""

    def once(_: int) -> httpx.Response:
        return httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=60)

    with ThreadPoolExecutor(2) as callers:
        answers = list(callers.map(once, range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert {answer.json()["choices"][0]["message"]["content"] for answer in answers} == {WORDS}


def test_workers_fit_in_their_memory(stack: Any, body: dict[str, Any]) -> None:
    """After a few pages a CPU worker holds less than the 2 GiB it is given."""
    for _ in range(4):
        assert httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=60).status_code == 200
    held = [child.memory_info().rss for child in psutil.Process(stack.ocr.pid).children(recursive=True)]
    assert held
    assert max(held) < 2 << 30


def serves(target: str, service: str) -> bool:
    """What grpc.health.v1 says; no while nothing listens."""
    with grpc.insecure_channel(target) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=5).status
            return bool(status == health_pb2.HealthCheckResponse.SERVING)
        except grpc.RpcError:
            return False


def test_alive_at_once_and_ready_within_a_minute(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ocr service listens within a second (ten here: the machine may be busy) and loads within 60."""
    monkeypatch.setenv("PECIA_GRPC__PORT", str(unused_tcp_port))
    monkeypatch.setenv("PECIA_ENGINES__TESSERACT", "false")
    target, began = f"127.0.0.1:{unused_tcp_port}", time.monotonic()
    with (tmp_path / "log").open("wb") as log:
        service = subprocess.Popen([sys.executable, "-m", "pecia_ocr"], stderr=log)
    try:
        while not serves(target, ""):
            assert time.monotonic() - began < 20
        alive = time.monotonic() - began
        while not serves(target, "pecia.ocr.v1.OcrService"):
            assert time.monotonic() - began < 60
            time.sleep(0.05)
    finally:
        service.terminate()
        assert service.wait(timeout=30) == 0
    assert alive < 10
