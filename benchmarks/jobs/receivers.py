"""Somebody who is told when jobs end: notes each webhook's id, and refuses some of them."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.jobs.history import Kind, Recorder

_HEAD = 64 * 1024


class Receiver:
    """A small HTTP server. `refused` = the share of messages that are noted and answered with 500."""

    def __init__(self, recorder: Recorder, refused: float = 0.0, seed: int = 0) -> None:
        """Receive nothing yet."""
        self._recorder = recorder
        self._refused = refused
        self._dice = random.Random(seed)
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One message on one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.partition(": ")[::2] for line in head.decode("latin-1").split("\r\n")[1:])
        fields = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        event = json.loads(body)
        self._recorder.note(
            Kind.WEBHOOK, event["data"]["job_id"], token=fields["webhook-id"], detail=event["type"]
        )
        good = self._dice.random() >= self._refused
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % _word(good=good))
        writer.close()


def _word(*, good: bool) -> bytes:
    return b"204 No Content" if good else b"500 Internal Server Error"


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Receiver]:
    """Serve on a free port of this machine; its `url` says where."""
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0, limit=_HEAD)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
