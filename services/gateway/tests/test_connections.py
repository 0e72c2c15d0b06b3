"""What a client can do to a connection without sending a request."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest
import uvicorn
from pecia_gateway.app import create_app
from pecia_gateway.connections import BoundedConnection
from pecia_gateway.settings import Settings

LIVE = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"


class Hasty(BoundedConnection):
    """Waits a tenth as long as a test does."""

    head_s = 1.0
    unread_s = 1.0


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    """A gateway that nobody has to stand behind."""
    app = create_app(Settings.model_validate({"ocr": {"target": "localhost:9"}}))
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=Hasty, ws="none", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await serving


async def connected(server: uvicorn.Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to it."""
    port = server.servers[0].sockets[0].getsockname()[1]
    return await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("begun", [b"", b"GET /live HT", LIVE[:-2], LIVE + LIVE[:-2]])
async def test_who_sends_no_whole_head_is_hung_up_on(server: uvicorn.Server, begun: bytes) -> None:
    """Nothing, a piece, all but the end, or that after a whole request."""
    reader, writer = await connected(server)
    writer.write(begun)
    began = monotonic()
    try:
        said = await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        said = b""
    assert monotonic() - began > 0.5
    assert said.count(b"200 OK") == begun.count(LIVE)
    writer.close()


async def test_a_head_that_comes_in_pieces_is_heard(server: uvicorn.Server) -> None:
    """And the next one, on the same connection, after a pause that is longer than a head may take."""
    reader, writer = await connected(server)
    for pause in (0.1, 1.5):
        await asyncio.sleep(pause)
        for piece in (LIVE[:10], LIVE[10:]):
            writer.write(piece)
            await asyncio.sleep(0.1)
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 10)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_who_reads_nothing_is_hung_up_on(server: uvicorn.Server) -> None:
    """Many large answers asked for and none fetched: neither the connection nor its task stays."""
    _, writer = await connected(server)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
    await asyncio.sleep(0.5)
    assert server.server_state.connections
    async with asyncio.timeout(30):
        while server.server_state.connections or server.server_state.tasks:
            await asyncio.sleep(0.05)
    writer.transport.abort()


async def test_there_are_no_websockets(server: uvicorn.Server) -> None:
    """Who asks for one gets the answer anybody gets."""
    reader, writer = await connected(server)
    head = [b"GET /v1/chat/completions HTTP/1.1", b"Host: x", b"Upgrade: websocket", b"Connection: Upgrade"]
    head += [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: eA==", b"", b""]
    writer.write(b"\r\n".join(head))
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 10)
    assert answer.startswith(b"HTTP/1.1 405")
    assert b"method_not_allowed" in answer
    writer.close()
