"""Workers that are killed at the worst places: nothing is lost, and nothing is done twice."""

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pecia_core.testing import sample_receipt
from pecia_jobs.database import Database
from pecia_jobs.store import Store

WORKER = Path(__file__).parent / "worker_process.py"
NOTHING: dict[str, Any] = {"queue": [], "processing": set(), "stamps": {}, "pushes": {}, "dead": []}
# In the order in which a document passes them.
PLACES = (
    "before take",
    "after take",
    "before create",
    "after create",
    "before terminal",
    "after terminal",
    "before row",
    "after row",
    "before end",
    "after end",
    "before delivered",
)
Killed = Callable[[str], Coroutine[Any, Any, int]]


@pytest.fixture
async def killed(
    groups: Callable[..., dict[str, Any]], database_url: str, tmp_path: Path
) -> AsyncIterator[Killed]:
    """Run a worker until it dies at a place, and say how it ended. At a place that is none it lives."""
    settings = {"groups": groups(max_retries=20), "database": database_url, "blobs": {"url": str(tmp_path)}}
    program = [sys.executable, str(WORKER), json.dumps(settings)]
    process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)
    orders, answers = process.stdin, process.stdout
    assert orders
    assert answers

    async def run(place: str) -> int:
        orders.write(f"{place}\n".encode())
        async with asyncio.timeout(100):
            return int(await answers.readline())

    yield run
    process.kill()
    await process.wait()


async def done(backend: Any, table: Any, ids: list[str]) -> None:
    """Until every row has its result, every message was heard and Redis is clean."""
    until = time.monotonic() + 120
    while True:
        rows = [await table.row(document_id) for document_id in ids]
        heard = all(backend.heard_of(document_id) for document_id in ids)
        if heard and all(row["status"] == "completed" for row in rows) and await backend.left() == NOTHING:
            return
        assert time.monotonic() < until, (rows, await backend.left(), backend.heard)
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_kills_lose_nothing_and_repeat_nothing(
    killed: Killed, backend: Any, table: Any, put_file: Any, database_url: str
) -> None:
    """One worker after the other is killed, each a step further: one job and one result a document."""
    await put_file("receipt.png", sample_receipt()[0])
    ids = [await table.add("receipt.png") for _ in range(3)]
    for document_id in ids:
        assert await backend.push(document_id)
    for place in PLACES:
        assert await killed(place) == -signal.SIGKILL, place
    living = asyncio.create_task(killed("nowhere"))
    await done(backend, table, ids)
    living.cancel()
    for document_id in ids:
        row = await table.row(document_id)
        assert row["ocr_text"] == f"text of {document_id}"
        assert (await table.changes(document_id)).count("completed") == 1
        messages = backend.heard_of(document_id)
        # Two of the kills come after a message and before anybody has noted it.
        assert 1 <= len(messages) <= 3
        assert {(message["success"], message["parsedResult"]["jobId"]) for message in messages} == {
            (True, json.loads(row["result_json"])["jobId"])
        }
    database = Database(database_url)
    jobs, _ = await Store(database).jobs("filot")
    await database.close()
    assert sorted(job.reference for job in jobs) == sorted(ids)
