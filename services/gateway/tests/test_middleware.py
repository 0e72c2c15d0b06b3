"""The body limit while reading, request ids, logs and metrics, over real sockets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from pecia_core.telemetry import request_id
from pecia_gateway.middleware import BodyBounds, BodyBudget, BodyLimit, HttpMetrics, RequestContext
from pecia_gateway.problems import response_of
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse

_MIB = 1 << 20
_LIMIT = _MIB
_REFUSED = b"HTTP/1.1 413"


@dataclass
class House:
    """A small application behind the middleware, and what happened in it."""

    port: int = 0
    budget: BodyBudget = field(default_factory=lambda: BodyBudget(64 * _MIB))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    bodies: list[int] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _app(house: House, bounds: BodyBounds) -> FastAPI:
    app = FastAPI(
        middleware=[
            Middleware(RequestContext, respond=response_of, metrics=HttpMetrics(house.registry)),
            Middleware(BodyLimit, bounds=bounds, budget=house.budget, respond=response_of),
        ]
    )

    @app.post("/read")
    async def read(request: Request) -> dict[str, Any]:
        house.bodies.append(len(await request.body()))
        return {"read": house.bodies[-1], "id": request_id.get()}

    @app.post("/hold")
    async def hold(request: Request) -> str:
        await request.body()
        await house.release.wait()
        return "held"

    @app.post("/json")
    async def parse(body: dict[str, Any]) -> int:
        return len(body)

    @app.get("/items/{name}")
    async def item(name: str) -> str:
        return name

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret reason")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def words() -> AsyncIterator[str]:
            for _ in range(3):
                await asyncio.sleep(0.01)
                yield request_id.get()

        return StreamingResponse(words())

    return app


@asynccontextmanager
async def _house(*, budget: int = 64 * _MIB, **bounds: Any) -> AsyncIterator[House]:
    house = House(budget=BodyBudget(budget))
    app = _app(house, BodyBounds(**({"max_bytes": _LIMIT, "drain_s": 5.0} | bounds)))
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    house.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield house
    finally:
        server.should_exit = True
        await serving


async def _raw(port: int, *pieces: bytes, linger: bool = False) -> bytes:
    """Send the pieces as they are and give all that comes back. `linger` = keep our side open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if linger:
            return await asyncio.wait_for(reader.readuntil(b"}"), 20)
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def _head(*headers: str, path: str = "/read") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


async def test_a_body_within_the_limit_passes() -> None:
    """To the last byte, whole and in pieces."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        assert (await client.post("/read", content=b"x" * _LIMIT)).json()["read"] == _LIMIT

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(4):
                yield b"x" * (_LIMIT // 4)

        assert (await client.post("/read", content=pieces())).json()["read"] == _LIMIT
        assert house.budget.held == 0


@pytest.mark.parametrize("path", ["/read", "/json"])
async def test_one_byte_more_is_413_in_openais_words(path: str) -> None:
    """With the request's id, whatever the route does with bodies it cannot read."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        answer = await client.post(path, content=b"x" * (_LIMIT + 1), headers={"x-request-id": "mine"})
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "request_too_large"
        assert answer.json()["detail"] == answer.json()["error"]["message"]
        assert answer.headers["x-request-id"] == "mine"
        assert house.bodies == []


async def test_a_body_without_a_length_is_counted_while_it_arrives() -> None:
    """The refusal comes long before the end; a client that sends on and on reads it all the same."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url, timeout=30) as client:

        async def flood() -> AsyncIterator[bytes]:
            for _ in range(64):
                yield b"x" * _MIB

        for _ in range(3):
            answer = await client.post("/read", content=flood())
            assert answer.status_code == 413
        assert house.bodies == []
        assert house.budget.held == 0


async def test_a_client_that_writes_everything_before_it_reads_sees_the_refusal() -> None:
    """Bytes left unread would reset the connection and lose the answer."""
    async with _house() as house:
        size = 16 * _MIB
        answer = await _raw(house.port, _head(f"Content-Length: {size}"), b"x" * size)
        assert answer.startswith(_REFUSED)
        assert b"request_too_large" in answer


async def test_a_client_that_asks_first_sends_nothing() -> None:
    """Expect: 100-continue is answered by the refusal, at once, and never by 100."""
    async with _house(drain_s=60.0) as house:
        answer = await _raw(house.port, _head(f"Content-Length: {_LIMIT + 1}", "Expect: 100-continue"))
        assert answer.startswith(_REFUSED)
        small = _head("Content-Length: 2", "Expect: 100-continue", "Connection: close")
        assert (await _raw(house.port, small, b"{}")).startswith(b"HTTP/1.1 100")


async def test_a_client_that_never_stops_is_cut_off() -> None:
    """Listening to a refused client has an end, in bytes and in seconds."""
    async with _house(drain_s=0.5, drain_bytes=4 * _MIB) as house:
        head = _head("Transfer-Encoding: chunked")
        chunk = f"{_MIB:x}\r\n".encode() + b"x" * _MIB + b"\r\n"
        with pytest.raises(ConnectionError):
            await _raw(house.port, head, *[chunk] * 200)
        answer = await _raw(house.port, _head(f"Content-Length: {_LIMIT + 1}"), b"x")
        assert answer.startswith(_REFUSED)


async def test_a_body_that_stands_still_is_given_up() -> None:
    """Slow senders hold no memory forever."""
    async with _house(idle_s=0.3) as house:
        answer = await _raw(house.port, _head("Content-Length: 100"), b"x" * 50, linger=True)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"stood still" in answer
        assert house.budget.held == 0


async def test_a_body_that_trickles_is_given_up() -> None:
    """A byte now and then is no way to hold a place for days; a slow line is patiently heard."""

    async def trickle(port: int, bytes_each: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.ensure_future(reader.readuntil(b"}"))
        writer.write(_head("Content-Length: 4000"))
        for _ in range(4000 // bytes_each):
            await asyncio.sleep(0.05)
            if answer.done():
                break
            writer.write(b"x" * bytes_each)
        try:
            return await asyncio.wait_for(answer, 20)
        finally:
            writer.close()

    async with _house(idle_s=0.5, least_rate=1000) as house:
        assert b"came too slowly" in await trickle(house.port, 1)
        assert b'"read":4000' in await trickle(house.port, 200)


async def test_all_bodies_together_are_bounded() -> None:
    """Two requests hold the memory there is; the third is told to come back, and may when they are done."""
    async with _house(budget=2 * _LIMIT) as house, httpx.AsyncClient(base_url=house.url) as client:
        holding = [asyncio.ensure_future(client.post("/hold", content=b"x" * _LIMIT)) for _ in range(2)]
        async with asyncio.timeout(10):
            while house.budget.held < 2 * _LIMIT:
                await asyncio.sleep(0.01)
        refused = await client.post("/read", content=b"x")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
        assert refused.headers["retry-after"] == "1"
        house.release.set()
        assert [answer.status_code for answer in await asyncio.gather(*holding)] == [200, 200]
        assert (await client.post("/read", content=b"x")).status_code == 200
        assert house.budget.held == 0


async def test_a_client_that_leaves_gives_its_memory_back() -> None:
    """In the middle of its body."""
    async with _house() as house:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(_head("Content-Length: 1000") + b"x" * 500)
        async with asyncio.timeout(10):
            while house.budget.held != 500:
                await asyncio.sleep(0.01)
            writer.close()
            while house.budget.held:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("mine", ["abc-123_x.y:z", "a" * 128])
async def test_a_callers_request_id_is_kept(mine: str) -> None:
    """In the answer, and wherever the request goes."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        answer = await client.post("/read", headers={"x-request-id": mine})
    assert (answer.headers["x-request-id"], answer.json()["id"]) == (mine, mine)


@pytest.mark.parametrize("odd", ["", "a" * 129, "with space", 'quote"', "schl\u00fcssel"])
async def test_an_odd_request_id_is_replaced(odd: str) -> None:
    """It would end up in logs and metadata."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        answer = await client.post("/read", headers=[(b"x-request-id", odd.encode("latin-1"))])
    assert answer.headers["x-request-id"].startswith("req_")


async def test_requests_at_once_keep_their_ids_apart() -> None:
    """Also while they stream."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        answers = await asyncio.gather(
            *(client.get("/stream", headers={"x-request-id": f"id-{number:02d}"}) for number in range(20))
        )
    assert [answer.text for answer in answers] == [f"id-{number:02d}" * 3 for number in range(20)]


async def test_a_handler_that_breaks_is_a_500_without_its_reason() -> None:
    """In OpenAI's shape, with the id under which the log has the reason."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        answer = await client.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "server_error"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]


async def test_the_log_has_a_line_and_no_names(caplog: pytest.LogCaptureFixture) -> None:
    """The route's template instead of the path, no query, and what the request cost."""
    caplog.set_level(logging.INFO, "pecia_gateway.middleware")
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        await client.get("/items/receipt-of-mrs-jones.png?api_key=hunter2")
        await client.get("/nowhere/mrs-jones")
    lines = [vars(record) for record in caplog.records if record.getMessage() == "request"]
    assert [(line["route"], line["status"]) for line in lines] == [("/items/{name}", 200), ("unmatched", 404)]
    told = json.dumps(lines, default=str)
    assert "jones" not in told
    assert "hunter2" not in told


async def test_metrics_count_by_template() -> None:
    """A thousand names are one series, and methods are those that exist."""
    async with _house() as house, httpx.AsyncClient(base_url=house.url) as client:
        for name in ("a", "b", "c"):
            await client.get(f"/items/{name}")
        await client.request("BREW", "/items/tea")
        labels = {"method": "GET", "route": "/items/{name}", "status": "200"}
        assert house.registry.get_sample_value("pecia_http_requests_total", labels) == 3
        labels = {"method": "other", "route": "/items/{name}", "status": "405"}
        assert house.registry.get_sample_value("pecia_http_requests_total", labels) == 1
        assert house.registry.get_sample_value("pecia_http_requests_in_flight") == 0
