"""`python -m pecia_gateway` as a process."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pecia_dispatch.testing import Script, ScriptedOcr, serving


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(target: str, **environment: str) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """The gateway in a process of its own, once it answers."""
    port = free_port()
    known = {"PECIA_HTTP__HOST": "127.0.0.1", "PECIA_HTTP__PORT": str(port), "PECIA_OCR__TARGET": target}
    state = tempfile.mkdtemp(prefix="pecia-test-")
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pecia_gateway"),
        env={"PATH": os.defpath, "XDG_STATE_HOME": state, **known, **environment},
        stderr=PIPE,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            async with asyncio.timeout(60):
                while True:
                    try:
                        await client.get("/live")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield started, client
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()
        shutil.rmtree(state, ignore_errors=True)


async def test_sigterm_finishes_what_runs_and_exits_zero(chat: Any) -> None:
    """A rolling update loses no page: the answer still comes, new connections do not get in."""
    service = ScriptedOcr(play=lambda *_: Script(wait_s=1.5))
    async with serving(service) as target, process(target) as (started, client):
        running = asyncio.create_task(client.post("/v1/chat/completions", json=chat()))
        async with asyncio.timeout(10):
            while not service.running:
                await asyncio.sleep(0.01)
        started.send_signal(signal.SIGTERM)
        answer = await running
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"] == "hello\nworld"
        async with asyncio.timeout(20):
            assert await started.wait() == 0


async def test_sigterm_lets_those_go_who_follow_a_job(png: bytes) -> None:
    """They come again elsewhere: a process that is told to stop does not wait for a job of hours."""
    async with serving(ScriptedOcr()) as target, process(target) as (started, client):
        async with asyncio.timeout(60):
            while (answer := await client.post("/jobs", files={"file": ("a.png", png)})).status_code != 200:
                await asyncio.sleep(0.05)
            path = f"/jobs/{answer.json()['job_id']}/events"
            async with client.stream("GET", path) as response:
                lines = response.aiter_lines()
                assert await anext(lines) == "id: 1"
                started.send_signal(signal.SIGTERM)
                assert "event: job" in [line async for line in lines]
            assert await started.wait() == 0


async def test_every_log_line_is_json_with_the_request_id(chat: Any) -> None:
    """One formatter for all loggers, the server's included; no text of the page among them."""
    async with serving(ScriptedOcr()) as target, process(target) as (started, client):
        headers = {"x-request-id": "req-of-this-test"}
        await client.post("/v1/chat/completions", json=chat(), headers=headers)
        started.send_signal(signal.SIGTERM)
        _, written = await started.communicate()
    lines = [json.loads(line) for line in written.decode().splitlines()]
    assert {"time", "level", "logger", "event", "service", "request_id"} <= set(lines[0])
    (told,) = [line for line in lines if line["request_id"] == "req-of-this-test"]
    assert (told["route"], told["status"]) == ("/v1/chat/completions", 200)
    assert "hello" not in written.decode()


async def test_pages_of_other_origins_may_call(gateway: Any) -> None:
    """Browsers ask first; by default every origin may, and scripts see the request id."""
    asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
    answer = await gateway.client.options("/v1/ocr", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    answer = await gateway.client.get("/live", headers={"origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "*"


async def test_origins_can_be_narrowed(start: Any) -> None:
    """A setting names those that may."""
    async with start(ScriptedOcr(), http={"cors_origins": ("https://good.example",)}) as gateway:
        good = await gateway.client.get("/live", headers={"origin": "https://good.example"})
        assert good.headers["access-control-allow-origin"] == "https://good.example"
        bad = await gateway.client.get("/live", headers={"origin": "https://bad.example"})
        assert "access-control-allow-origin" not in bad.headers
