"""Documents the whole way: from a row and a blob to a result, through real services."""

import asyncio
import json
import re

from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_jobs.model import JobState
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import PATIENCE_S, Owner, scanned, working


async def test_twelve_pages(settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr) -> None:
    """Each page is read once, and stands in its place in every document."""
    ocr.play = lambda _picture, asked: Script((f"text of {asked.page_index + 1}",))
    job = await owner.submit(scanned(12), 12)
    async with working(settings, world):
        job = await owner.ended(job)
    assert (job.state, job.pages_done, job.pages_failed) == (JobState.DONE, 12, 0)
    assert sorted(seen.options.page_index for seen in ocr.seen) == list(range(12))
    expected = [f"text of {number}" for number in range(1, 13)]
    text = await owner.result(job, "result.txt")
    assert [line for line in text.splitlines() if line.startswith("text")] == expected
    markdown = await owner.result(job, "result.md")
    assert [line for line in markdown.splitlines() if line.startswith("text")] == expected
    pages = json.loads(await owner.result(job, "result.json"))["pages"]
    assert [(page["number"], page["text"]) for page in pages] == list(enumerate(expected, start=1))


async def test_the_end_is_told(settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr) -> None:
    """A webhook of the job's end, signed, from the worker that runs anyway."""
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        told.put_nowait(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    job = await owner.submit(scanned(2), 2, webhook_url=f"http://127.0.0.1:{port}/hook")
    async with server, working(settings, world):
        message = await asyncio.wait_for(told.get(), PATIENCE_S)
    head, _, body = message.partition(b"\r\n\r\n")
    assert b"webhook-signature: v1," in head.lower()
    assert f"evt_{job.id}_webhook".encode() in head
    assert json.loads(body)["type"] == "job.completed"
