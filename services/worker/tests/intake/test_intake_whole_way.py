"""From a backend's push to its row and its channel, through real services."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pecia_core.errors import EngineFailed, InvalidDocument
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_jobs.reviews import ReviewStatus
from pecia_jobs.store import Store
from pecia_worker.main import World
from pecia_worker.testing import scanned

QUEUE = "filot:ocr:gpu:queue"
NOTHING: dict[str, Any] = {"queue": [], "processing": set(), "stamps": {}, "pushes": {}, "dead": []}
Open = Callable[..., Awaitable[Any]]
Put = Callable[[str, bytes], Awaitable[object]]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Until something is true."""
    end = time.monotonic() + 90
    while not await condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.05)


async def heard(backend: Any, document_id: str) -> dict[str, Any]:
    """What is published of a document, once Redis is clean of it."""

    async def clean() -> bool:
        left = await backend.left()
        return bool(backend.heard_of(document_id)) and document_id not in left["processing"]

    await until(clean)
    [message] = backend.heard_of(document_id)
    return dict(message)


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
async def test_documents_the_whole_way(
    open_office: Open, backend: Any, table: Any, put_file: Put, ocr: ScriptedOcr
) -> None:
    """Pictures and PDFs become rows and messages that agree; nothing is left in Redis."""
    ocr.play = lambda _picture, asked: Script((f"page {asked.page_index + 1}",), fallback_from="deepseek-ocr")
    await put_file("kyc/receipt.png", scanned(1, "PNG"))
    await put_file("kyc/contract.pdf", scanned(3))
    names = ["kyc/receipt.png", "https://pub.r2.dev/kyc/contract.pdf", "s3://filot-documents/kyc/receipt.png"]
    ids = [await table.add(name) for name in names]
    assert all([await backend.push(document_id) for document_id in ids])
    await open_office()
    messages = [await heard(backend, document_id) for document_id in ids]
    for document_id, message, pages in zip(ids, messages, (1, 3, 1), strict=True):
        row = await table.row(document_id)
        assert (message["success"], message["outcome"], message["score"]) == (True, "auto_approved", 90)
        assert message["gpuProcessed"] is False
        assert message["ocrText"] == row["ocr_text"]
        assert all(f"page {number + 1}" in row["ocr_text"] for number in range(pages))
        assert json.loads(row["result_json"]) == message["parsedResult"]
        assert [page["fallbackFrom"] for page in message["parsedResult"]["pages"]] == ["deepseek-ocr"] * pages
        assert await table.changes(document_id) == ["processing", "completed"]
    assert await backend.left() == NOTHING
    assert {(seen.options.model, seen.options.languages) for seen in ocr.seen} == {
        ("deepseek-ocr", ("ind", "eng"))
    }


async def test_what_can_never_be_read_is_refused_once(
    open_office: Open, backend: Any, table: Any, put_file: Put
) -> None:
    """No row, no file, no picture, a kind that is not wanted, no id at all: said, and never tried again."""
    await put_file("notes.txt", b"no picture at all")
    await put_file("broken.pdf", b"%PDF-1.7 and then nothing")
    rows = {
        await table.add("missing.png"): "not in the bucket",
        await table.add("notes.txt"): "not a file pecia reads",
        await table.add("broken.pdf"): "PDF",
        await table.add("https://elsewhere.example"): "names no file",
        await table.add("notes.txt", type="PASSPORT"): "not read here",
    }
    others = {"00000000-0000-4000-8000-000000000000": "no document with this id", "ktp-7": "not the id"}
    for document_id in rows | others:
        assert await backend.push(document_id)
    await open_office(documents={"types": ("KTP", "NPWP")})
    for document_id, said in (rows | others).items():
        message = await heard(backend, document_id)
        assert (message["success"], message["outcome"], message["gpuProcessed"]) == (False, None, False)
        assert said in message["error"]
    for document_id in rows:
        row = await table.row(document_id)
        assert row["status"] == "failed"
        assert json.loads(row["result_json"]) == {"error": backend.heard_of(document_id)[0]["error"]}
        assert (await table.changes(document_id)).count("failed") == 1
    assert await backend.left() == NOTHING


async def test_poison_is_dead_and_may_come_back(
    open_office: Open, open_queue: Callable[..., Any], backend: Any, table: Any, put_file: Put
) -> None:
    """Three workers die over an id: it is dead, with a word to the backend; requeued, it is read."""
    await put_file("receipt.png", scanned(1, "PNG"))
    document_id = await table.add("receipt.png")
    await backend.push(document_id)
    victims = open_queue()
    for number in (1, 2, 3):
        take = await victims.take()
        assert take.takes == number
        if number < 3:
            await asyncio.sleep(0.02)
            [stale] = [found async for found in victims.stale(0.01)]
            assert await victims.give_back(stale)
    await open_office()
    message = await heard(backend, document_id)
    assert "Given up after 3 tries" in message["error"]
    assert (await backend.left()) == NOTHING | {"dead": [document_id]}
    assert (await table.row(document_id))["status"] == "failed"
    backend.heard.clear()
    assert await victims.requeue(document_id.encode())
    assert (await heard(backend, document_id))["success"] is True
    assert await table.changes(document_id) == ["failed", "processing", "completed"]


@pytest.mark.parametrize(
    ("error", "dead"),
    [(InvalidDocument("A broken picture."), False), (EngineFailed("A broken engine."), True)],
)
async def test_a_document_that_failed(
    open_office: Open, backend: Any, table: Any, put_file: Put, ocr: ScriptedOcr, error: Exception, dead: bool
) -> None:
    """Its own fault is final; somebody else's is worth another push, so it is dead. Both are told."""
    ocr.play = lambda _picture, _asked: Script(error=error)  # type: ignore[arg-type]
    await put_file("receipt.png", scanned(1, "PNG"))
    document_id = await table.add("receipt.png")
    await backend.push(document_id)
    await open_office()
    message = await heard(backend, document_id)
    assert (message["success"], message["outcome"]) == (False, None)
    assert (await table.row(document_id))["status"] == "failed"

    async def put_away() -> bool:  # a moment after it was told
        return bool((await backend.left()) == NOTHING | {"dead": [document_id] if dead else []})

    await until(put_away)


@pytest.mark.usefixtures("receipt")
async def test_doubt_goes_to_people_and_comes_back(
    open_office: Open, backend: Any, table: Any, ocr: ScriptedOcr, world: World
) -> None:
    """A reading with little confidence waits for a person; their word is written into the row."""
    ocr.play = lambda _picture, _asked: Script(("scrawl",), confidence=0.4)
    document_id = await table.add("receipt.png")
    await backend.push(document_id)
    office = await open_office()
    message = await heard(backend, document_id)
    assert (message["success"], message["decision"], message["score"]) == (True, "needs_review", 40)
    assert (await table.row(document_id))["verification_status"] == "pending_manual_review"
    [job], _ = await Store(world.database).jobs("filot")
    review = await office.reviews.of_job(job.id)
    assert (review.reference, review.score) == (document_id, pytest.approx(40))
    await office.reviews.decide(review.id, ReviewStatus.APPROVED, "")

    async def decided() -> bool:
        return bool((await table.row(document_id))["verification_status"] == "manually_approved")

    await until(decided)


async def test_what_was_read_is_not_read_again(
    open_office: Open, backend: Any, table: Any, ocr: ScriptedOcr
) -> None:
    """An id of a completed row is taken and forgotten: nobody overwrites a result."""
    document_id = await table.add("receipt.png", status="completed", ocr_text="old")
    await backend.push(document_id)
    await open_office()

    async def forgotten() -> bool:
        return bool(await backend.left() == NOTHING)

    await until(forgotten)
    assert (await table.row(document_id))["ocr_text"] == "old"
    assert (ocr.seen, backend.heard) == ([], [])
