"""What a gateway does with jobs, on both databases and a real folder."""

import asyncio
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pecia_core.errors import Conflict, NotFound, Overloaded, Unavailable
from pecia_jobs.blobs import Blobs, open_blobs, page_key
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import Job, JobPage, JobState, NewJob, PageResult, PageSource
from pecia_jobs.retention import Limits
from pecia_jobs.service import JobService
from pecia_jobs.settings import BlobSettings
from pecia_jobs.store import Store
from pecia_jobs.testing.samples import sample_job

ROOMY = Limits(1 << 40, 1_000_000, 1e9)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A real folder."""
    return open_blobs(BlobSettings(url=str(tmp_path / "blobs")))


@pytest.fixture
async def service(database: Database, store: Store, blobs: Blobs) -> JobService:
    """Ready."""
    made = JobService(database, store, blobs, ROOMY)
    await made.prepare()
    return made


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Something to keep."""
    path = tmp_path / "upload"
    path.write_bytes(b"%PDF-1.4 document")
    return path


@pytest.fixture
def order() -> Callable[..., NewJob]:
    """Another job each time, all of one tenant."""
    numbers = count(1)

    def make(pages: int = 3, **fields: Any) -> NewJob:
        return sample_job(next(numbers), pages, **{"input_bytes": 17, **fields})

    return make


async def read(leases: Leases, blobs: Blobs, most: int) -> list[int]:
    """Read so many pages; their text is their number."""
    numbers = []
    for lease in await leases.claim("w", most):
        key = page_key(lease.tenant, lease.job_id, lease.number, lease.token)
        blob = json.dumps(
            {"number": lease.number, "text": str(lease.number), "markdown": f"# {lease.number}"}
        )
        await blobs.put(key, blob.encode())
        await leases.record([PageResult(lease, key, "0" * 64, len(blob), PageSource.TEXT)])
        numbers.append(lease.number)
    return numbers


async def kept(blobs: Blobs) -> list[str]:
    """All keys."""
    return sorted([blob.key async for blob in blobs.list()])


async def test_the_document_is_there_before_its_job(
    service: JobService, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """Whoever claims a page finds the input."""
    new = order()
    job, made = await service.create(new, document)
    assert (made, job.state, job.pages_total) == (True, JobState.QUEUED, 3)
    assert await blobs.get(job.input_key) == document.read_bytes()


async def test_a_second_document_under_one_key_is_dropped(
    service: JobService, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """The first job is given; a conflict leaves nothing of its own either."""
    keyed = {"idempotency_key": "k", "idempotency_digest": "d"}
    first, _ = await service.create(order(**keyed), document)
    again, made = await service.create(order(**keyed), document)
    assert (again.id, made) == (first.id, False)
    with pytest.raises(Conflict) as refused:
        await service.create(order(idempotency_key="k", idempotency_digest="other"), document)
    assert refused.value.code == "idempotency_conflict"
    assert await kept(blobs) == [first.input_key]


async def test_a_commit_nobody_heard_of_keeps_its_document(
    database: Database, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """The row may be there although the answer was lost: only the purge may delete the input."""

    class Deaf(Store):
        async def create(self, new: NewJob) -> tuple[Job, bool]:
            await super().create(new)
            raise Unavailable("The answer was lost.", code="store_unavailable")

    service = JobService(database, Deaf(database), blobs, ROOMY)
    await service.prepare()
    new = order()
    with pytest.raises(Unavailable):
        await service.create(new, document)
    assert await blobs.get(new.input_key) == document.read_bytes()
    assert (await service.job(new.tenant, new.id)).id == new.id


async def test_without_a_document_there_is_no_job(
    service: JobService, order: Callable[..., NewJob], document: Path, tmp_path: Path
) -> None:
    """The blob comes first; when it cannot be kept, no row is made."""
    await service.create(order(), document)
    (tmp_path / "blobs").rename(tmp_path / "away")
    new = order()
    with pytest.raises(Unavailable):
        await service.create(new, document)
    with pytest.raises(NotFound):
        await service.job(new.tenant, new.id)


async def test_what_is_alive_makes_no_room(
    database: Database, store: Store, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """Too many jobs, or too many bytes: refused, until one has ended."""
    for limits, code in (
        (Limits(1 << 40, 1, 1e9), "job_limit_reached"),
        (Limits(30, 99, 1e9), "storage_full"),
    ):
        service = JobService(database, store, blobs, limits)
        await service.prepare()
        job, _ = await service.create(order(), document)
        with pytest.raises(Overloaded) as refused:
            await service.create(order(), document)
        assert refused.value.code == code
        await service.cancel(job.tenant, job.id)
        other, _ = await service.create(order(), document)
        for ended in (job, other):
            await service.cancel(ended.tenant, ended.id)
            await service.delete(ended.tenant, ended.id)


async def test_strangers_hear_what_nobody_hears(
    service: JobService, order: Callable[..., NewJob], document: Path
) -> None:
    """Another tenant's job, one that never was, and no name at all: the same words."""
    job, _ = await service.create(order(), document)
    said = set()
    for tenant, name in (("stranger", job.id), (job.tenant, job.id[:-1] + "z"), (job.tenant, "../x")):
        with pytest.raises(NotFound) as refused:
            await service.job(tenant, name)
        said.add((refused.value.code, refused.value.message))
    assert len(said) == 1


async def test_the_pace_is_that_of_the_last_pages(
    service: JobService, leases: Leases, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """Nothing known: everybody's pace. Then the job's own, from its beginning; at its end none."""
    job, _ = await service.create(order(4), document)
    waiting = await service.standing(job)
    assert (waiting.eta_seconds, waiting.pages_per_second, waiting.queue_ahead) == (None, None, 0)
    assert (await service.standing(job, 2.0)).eta_seconds == pytest.approx(2.0)
    assert await read(leases, blobs, 2) == [1, 2]
    running = await service.standing(await service.job(job.tenant, job.id), 1000.0)
    assert running.pages_per_second
    assert running.eta_seconds == pytest.approx(2 / running.pages_per_second)
    assert running.text_pages == 2
    await service.cancel(job.tenant, job.id)
    ended = await service.standing(await service.job(job.tenant, job.id), 2.0)
    assert (ended.eta_seconds, ended.pages_per_second) == (None, None)


async def test_a_job_before_its_time_waits_for_that_too(
    service: JobService, order: Callable[..., NewJob], document: Path
) -> None:
    """The time until it may begin is part of the time until it is done."""
    job, _ = await service.create(order(4, not_before=4e9), document)
    assert job.state is JobState.SCHEDULED
    assert ((await service.standing(job, 2.0)).eta_seconds or 0) > 1e9


async def test_watching_misses_nothing_and_repeats_nothing(
    service: JobService, leases: Leases, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """Pages come once, in the order they ended, however often the watcher breaks off."""
    job, _ = await service.create(order(6), document)
    pages, after = [], 0
    async with asyncio.timeout(60):
        for _ in range(6):
            await read(leases, blobs, 1)
            watching = service.watch(await service.job(job.tenant, job.id), after)
            async for what, number in watching:
                after = number or after
                if isinstance(what, JobPage):
                    pages.append(what.number)
                    break
            await watching.aclose()
    assert pages == [1, 2, 3, 4, 5, 6]


async def test_the_document_so_far_names_what_is_missing(
    service: JobService, leases: Leases, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """Twelve pages in order, the fetched ones and the others."""
    job, _ = await service.create(order(12), document)
    await read(leases, blobs, 10)
    job = await service.job(job.tenant, job.id)
    with pytest.raises(Conflict):
        await service.download(job, "markdown", partial=False)
    found = await service.download(job, "markdown", partial=True)
    text = b"".join([piece async for piece in found.pieces]).decode()
    assert found.size is None
    assert [line for line in text.splitlines() if line.startswith("# ")] == [f"# {n}" for n in range(1, 11)]
    assert text.index("# 10") < text.index("Page 11 has not been read yet") < text.index("Page 12")


async def test_a_deleted_job_leaves_nothing(
    service: JobService, leases: Leases, blobs: Blobs, order: Callable[..., NewJob], document: Path
) -> None:
    """First it is stopped, then it is gone with all its blobs; its neighbour stays."""
    job, _ = await service.create(order(), document)
    other, _ = await service.create(order(), document)
    await read(leases, blobs, 1)
    assert await service.delete(job.tenant, job.id)
    assert not await service.delete(job.tenant, job.id)
    with pytest.raises(NotFound):
        await service.delete(job.tenant, job.id)
    assert {key.split("/")[1] for key in await kept(blobs)} == {other.id}


async def test_before_the_database_came_calls_are_told_to_wait(database: Database, blobs: Blobs) -> None:
    """Nobody reads from tables that are not there."""
    service = JobService(database, Store(database), blobs, ROOMY)
    for call in (
        service.job("t", "x"),
        service.counts(),
        service.listed("t", status=None, cursor="", limit=1),
    ):
        with pytest.raises(Unavailable) as refused:
            await call
        assert refused.value.code == "store_unavailable"
