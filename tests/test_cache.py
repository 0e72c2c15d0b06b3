"""The result cache the whole way: a picture in at the gateway, `x-ocr-cache` and the same text back."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pecia_client.grpc import GrpcClient
from pecia_core.recognition import Delta, Recognition, RecognizeOptions, Started
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, running, scripted_settings

CHAT = "/v1/chat/completions"


@pytest.fixture
async def server() -> AsyncIterator[OcrServer]:
    """An ocr service that keeps results."""
    async with running(scripted_settings(cache={"enabled": True})) as server:
        yield server


@pytest.fixture
async def caller(server: OcrServer) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway in front of it."""
    app = create_app(Settings.model_validate({"ocr": {"target": f"127.0.0.1:{server.port}"}}))
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60)
    async with app.router.lifespan_context(app), client:
        yield client


def chat(*colours: tuple[int, int, int], **fields: Any) -> dict[str, Any]:
    """A request about pictures of these colours."""
    urls = (f"data:image/png;base64,{base64.b64encode(picture(colour)).decode()}" for colour in colours)
    content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"model": "scripted", "messages": [{"role": "user", "content": content}], **fields}


async def test_every_route_says_whether_work_was_done(caller: httpx.AsyncClient) -> None:
    """First a miss, then hits, whichever way the same is asked for; ids and times are the caller's own."""
    body = chat((1, 2, 3), ref_text="lines")
    first = await caller.post(CHAT, json=body, headers={"x-request-id": "one"})
    second = await caller.post(CHAT, json=body, headers={"x-request-id": "two"})
    streamed = await caller.post(CHAT, json=body | {"stream": True})
    said = [answer.headers["x-ocr-cache"] for answer in (first, second, streamed)]
    assert said == ["miss", "hit", "hit"]
    assert [first.headers["x-request-id"], second.headers["x-request-id"]] == ["one", "two"]
    assert first.json()["id"] != second.json()["id"]
    assert first.json()["choices"] == second.json()["choices"]
    assert first.json()["usage"] == second.json()["usage"]
    times = second.json()["ocr"]["timings"]
    assert (times["engine_ms"], times["queue_ms"], times["decode_ms"]) == (0, 0, 0)
    assert times["total_ms"] > 0
    files = {"file": ("a.png", picture((4, 5, 6)), "image/png")}
    forms = [await caller.post("/v1/ocr", files=files, data={"model": "scripted"}) for _ in range(2)]
    assert [answer.headers["x-ocr-cache"] for answer in forms] == ["miss", "hit"]
    assert forms[0].json()["lines"] == forms[1].json()["lines"]


async def test_pages_are_kept_one_by_one(caller: httpx.AsyncClient) -> None:
    """A request with one page more is a miss, though only the new page is read; pages keep their numbers."""
    await caller.post(CHAT, json=chat((1, 1, 1), (2, 2, 2)))
    more = await caller.post(CHAT, json=chat((3, 3, 3), (2, 2, 2), (1, 1, 1)))
    assert more.headers["x-ocr-cache"] == "miss"
    assert [page["number"] for page in more.json()["ocr"]["pages"]] == [1, 2, 3]
    again = await caller.post(CHAT, json=chat((1, 1, 1), (3, 3, 3)))
    assert again.headers["x-ocr-cache"] == "hit"


async def test_a_caller_can_have_it_read(caller: httpx.AsyncClient, server: OcrServer) -> None:
    """`Cache-Control: no-cache` is work each time, also for callers at the same moment."""
    body = chat((1, 2, 3))
    await caller.post(CHAT, json=body)
    headers = {"cache-control": "no-cache"}
    answers = await asyncio.gather(*(caller.post(CHAT, json=body, headers=headers) for _ in range(3)))
    assert [answer.headers["x-ocr-cache"] for answer in answers] == ["miss"] * 3
    assert server.metrics_registry.get_sample_value("pecia_cache_requests_total", {"outcome": "bypass"}) == 3


async def test_the_grpc_client_sees_a_kept_page_from_its_first_event(server: OcrServer) -> None:
    """`cached` stands on Started and on the Recognition; the deltas joined are the text."""

    def ask() -> list[list[Any]]:
        options = RecognizeOptions("scripted", ref_text="lines")
        with GrpcClient(f"127.0.0.1:{server.port}") as client:
            return [list(client.stream(picture(), options)) for _ in range(2)]

    for events, cached in zip(await asyncio.to_thread(ask), (False, True), strict=True):
        started, finished = events[0], events[-1]
        assert isinstance(started, Started)
        assert isinstance(finished, Recognition)
        assert (started.cached, finished.cached) == (cached, cached)
        assert "".join(event.text for event in events if isinstance(event, Delta)) == finished.text
