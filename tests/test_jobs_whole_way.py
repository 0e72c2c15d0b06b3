"""Documents the whole way: gateway, worker and ocr service as processes, on a file and a folder."""

import io
import json
from collections.abc import AsyncIterator
from typing import Protocol

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from benchmarks.jobs import hostile
from benchmarks.jobs.callers import ENDED, Refused
from benchmarks.jobs.drawn import document
from benchmarks.jobs.places import sqlite_place
from benchmarks.jobs.stage import Cast, Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGES = 300
PLAIN = {"model": "scripted", "dpi": "72", "task_type": "free_ocr"}


class Running(Protocol):
    """What these tests need of the stack."""

    @property
    def target(self) -> str:
        """Of the ocr service."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def jobs(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A gateway and a worker beside the ocr service that all tests share."""
    folder = tmp_path_factory.mktemp("jobs")
    cast = Cast(workers=1, slots=4, lease_s=30.0, target=stack.target)
    with sqlite_place(folder) as place:
        async with staged(place, folder, cast) as stage:
            yield stage
            stage.check_alive()


async def view_of(jobs: Stage, job: str) -> dict[str, object]:
    """What GET says of it."""
    return dict((await jobs.caller.ask("GET", f"/v1/jobs/{job}")).json())


async def events_of(jobs: Stage, job: str, after: str, most: int) -> list[tuple[str, str, dict[str, object]]]:
    """At most so many events, as (id, event, data); fewer where the job ended."""
    events = []
    fields: dict[str, str] = {}
    headers = {"Last-Event-ID": after} if after else {}
    async with jobs.http.stream("GET", f"{jobs.url}/v1/jobs/{job}/events", headers=headers) as stream:
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif not line and "data" in fields:
                events.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
                fields = {}
                if len(events) == most:
                    break
    return events


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_three_hundred_pages(jobs: Stage) -> None:
    """Every page is read once, told once to whoever follows, and stands in its place in every document."""
    job = await jobs.caller.send("long.pdf", document(PAGES), PLAIN)
    told: list[tuple[str, str, dict[str, object]]] = []
    while not told or told[-1][2].get("detail", {}).get("state") not in ENDED:  # type: ignore[attr-defined]
        last = next((id_ for id_, _, _ in reversed(told) if id_), "")
        told += await events_of(jobs, job, last, most=70)  # the line breaks now and then
    numbers = [int(str(data["number"])) for _, event, data in told if event == "page"]
    assert sorted(numbers) == list(range(1, PAGES + 1))
    view = await view_of(jobs, job)
    assert (view["status"], view["progress"], view["processed_pages"]) == ("completed", 100.0, PAGES)
    whole = json.loads((await jobs.caller.ask("GET", f"/jobs/{job}/download?format=json")).content)
    texts = [page["text"] for page in whole["pages"]]
    assert len(set(texts)) == PAGES
    for form in ("text", "markdown"):
        said = (await jobs.caller.ask("GET", f"/jobs/{job}/download?format={form}")).text
        places = [said.index(text) for text in texts]
        assert places == sorted(places)
    page = (await jobs.caller.ask("GET", f"/v1/jobs/{job}/pages/{PAGES}")).json()
    assert (page["text"], page["status"], page["source"]) == (texts[-1], "done", "ocr")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.engine
async def test_real_pictures_are_read(jobs: Stage, receipt: bytes) -> None:
    """A PDF and a TIFF of photographed receipts go through the engine that reads, page for page."""
    for kind in ("PDF", "TIFF"):
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(receipt)) as picture:
            pages = [picture.convert("RGB"), picture.convert("RGB").rotate(180)]
        pages[0].save(buffer, kind, save_all=True, append_images=pages[1:])
        name = f"receipts.{kind.lower()}"
        job = await jobs.caller.send(name, buffer.getvalue(), {"model": "rapid", "task_type": "free_ocr"})
        assert await jobs.caller.watch(job) == "done"
        view = await view_of(jobs, job)
        assert view["total_pages"] == 2
        assert "TOTAL" in (await jobs.caller.text(job)).upper()


HOSTILE = {
    "empty.pdf": (hostile.empty(), {}, "invalid_pdf"),
    "truncated.pdf": (hostile.truncated(40), {}, ""),
    "locked.pdf": (hostile.locked(2, "open sesame"), {}, "pdf_encrypted"),
    "wrong.pdf": (hostile.locked(2, "open sesame"), {"password": "wrong"}, "pdf_encrypted"),
    "bomb.pdf": (hostile.bomb_between(), {}, ""),
    "huge.pdf": (document(10_001), {}, "pdf_too_many_pages"),
    "noise.pdf": (b"%PDF-1.4\n" + bytes(range(256)) * 40, {}, "invalid_pdf"),
}


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_bad_documents_and_the_next_job(jobs: Stage) -> None:
    """Each is refused with a code and a sentence, or ends with what could be read; the next job is done."""
    refusals = {}
    for name, (data, form, _) in HOSTILE.items():
        try:
            job = await jobs.caller.send(name, data, PLAIN | form)
        except Refused as refused:
            refusals[name] = str(refused)
            continue
        assert await jobs.caller.watch(job) in {"done", "partial", "failed"}, name
        view = await view_of(jobs, job)
        pages = (await jobs.caller.ask("GET", f"/v1/jobs/{job}/pages")).json()["pages"]
        wrong = [page["number"] for page in pages if page["status"] != "done"]
        assert view["failed_pages"] == wrong
        assert all(page["error"]["message"] for page in pages if page["status"] == "failed")
    for name, (_, _, code) in HOSTILE.items():
        assert code in refusals.get(name, ""), name
    job = await jobs.caller.send(
        "locked-again.pdf", hostile.locked(2, "open sesame"), PLAIN | {"password": "open sesame"}
    )
    assert await jobs.caller.watch(job) == "done"
    job = await jobs.caller.send("next.pdf", document(3), PLAIN)
    assert await jobs.caller.watch(job) == "done"


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_three_pages_of_ten_thousand(jobs: Stage) -> None:
    """A document of the greatest length is taken in, and of its pages those are read that were asked for."""
    job = await jobs.caller.send("longest.pdf", document(10_000), PLAIN | {"pages": "1,5000,9999-"})
    assert await jobs.caller.watch(job) == "done"
    view = await view_of(jobs, job)
    assert view["total_pages"] == 4
    pages = (await jobs.caller.ask("GET", f"/v1/jobs/{job}/pages")).json()["pages"]
    assert [page["number"] for page in pages] == [1, 5000, 9999, 10_000]
    said = await jobs.http.get(f"{jobs.url}/v1/jobs/{job}/pages/2")
    assert said.status_code == httpx.codes.NOT_FOUND
