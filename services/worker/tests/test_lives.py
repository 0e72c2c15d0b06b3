"""Pages whose job is cancelled, whose worker stops, dies, or loses its lease; and jobs that wait."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

from pecia_core.recognition import RecognizeOptions
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState, PageState
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import TENANT, Owner, scanned, until, worker_process, working


def slowly(_picture: bytes, _asked: RecognizeOptions) -> Script:
    """A page that takes longer than any test waits for it."""
    return Script(wait_s=60)


async def test_a_cancel_stops_pages_that_run(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Nothing of a cancelled job is read any more soon after, at the ocr service, and nothing new begins."""
    ocr.play = slowly
    job = await owner.submit(scanned(8), 8)
    async with working(settings, world) as worker:
        await until(lambda: ocr.running == 4)
        job = await owner.store.cancel(TENANT, job.id)
        began = time.monotonic()
        await until(lambda: not ocr.running and not worker.health.in_flight())
        assert time.monotonic() - began < 5
    assert (job.state, ocr.cancelled, len(ocr.seen)) == (JobState.CANCELLED, 4, 4)


async def test_a_drained_worker_gives_back_what_it_cannot_end(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Near the end of the grace pages go back, no attempt counted, for whoever comes next."""
    ocr.play = slowly
    job = await owner.submit(scanned(6), 6)
    hurried = settings.model_copy(update={"worker": settings.worker.model_copy(update={"drain_s": 3.0})})
    async with working(hurried, world):
        await until(lambda: ocr.running == 4)
    pages = await owner.store.pages(TENANT, job.id)
    assert {(page.state, page.attempts) for page in pages} == {(PageState.READY, 0)}
    ocr.play = lambda _picture, _asked: Script()
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE


async def test_a_drained_worker_ends_what_it_can(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Pages that run when it is told to stop are recorded; the others wait for somebody else."""
    ocr.play = lambda _picture, _asked: Script(wait_s=1)
    job = await owner.submit(scanned(8), 8)
    async with working(settings, world):
        await until(lambda: ocr.running == 4)
    states = Counter(page.state for page in await owner.store.pages(TENANT, job.id))
    assert states == {PageState.DONE: 4, PageState.READY: 4}
    assert len(ocr.seen) == 4


async def test_two_workers_share_a_job(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Each page is read by one of them, once."""
    ocr.play = lambda _picture, _asked: Script(wait_s=0.05)
    job = await owner.submit(scanned(20), 20)
    async with working(settings, world) as first, working(settings, world) as second:
        job = await owner.ended(job)
        done = [worker.metrics.pages.labels("done", "ocr")._value.get() for worker in (first, second)]
    assert job.state is JobState.DONE
    assert sum(done) == 20
    assert min(done) > 0
    assert sorted(seen.options.page_index for seen in ocr.seen) == list(range(20))


async def test_who_lost_the_lease_records_nothing(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr, database: Database
) -> None:
    """A page that somebody else has taken and ended keeps the other's result; the loser only loses time."""
    ocr.play = lambda _picture, _asked: Script(("first",), wait_s=2)
    blind = settings.model_copy(
        update={"worker": settings.worker.model_copy(update={"watch_s": 60.0, "max_concurrency": 1})}
    )
    job = await owner.submit(scanned(2), 2)
    async with working(blind, world) as worker:
        await until(lambda: ocr.running == 1)
        # As if it had been away: its lease is over, and the page is somebody else's.
        async with database.write() as connection:
            await connection.exec_driver_sql("UPDATE page SET due = 0 WHERE state = 'leased'")
        other = Leases(database)
        await until(lambda: worker.metrics.swept.labels("lapsed")._value.get() == 1)
        (lease, *_) = await other.claim("other", 1)
        await until(lambda: worker.metrics.pages.labels("fenced", "ocr")._value.get() == 1)
        (page,) = await owner.store.pages(TENANT, job.id, numbers=[lease.number])
        assert (page.state, page.attempts) == (PageState.LEASED, 2)
        await other.release([lease.token])
        job = await owner.ended(job)
    assert (job.state, job.pages_done) == (JobState.DONE, 2)


async def test_a_job_waits_for_its_time(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Nothing of it is read before, and it begins by itself."""
    begins = time.time() + 3
    job = await owner.submit(scanned(2), 2, not_before=begins)
    assert job.state is JobState.SCHEDULED
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    assert job.started is not None
    assert job.started >= begins


async def test_a_killed_worker_loses_no_page(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr, tmp_path: Path
) -> None:
    """Killed hard in the middle: its leases run out and another ends the job; no page is recorded twice."""
    ocr.play = lambda _picture, _asked: Script(wait_s=0.3)
    soon = settings.model_copy(
        update={"jobs": settings.jobs.model_copy(update={"lease_s": 2.0, "max_attempts": 50})}
    )
    job = await owner.submit(scanned(16), 16)
    async with worker_process(soon, tmp_path / "log") as process:
        await owner.until(job, lambda seen: seen.pages_done >= 3)
        process.kill()
        await process.wait()
        killed = await owner.store.job(TENANT, job.id)
        async with working(soon, world):
            job = await owner.ended(job)
    assert killed.state is JobState.RUNNING
    assert (job.state, job.pages_done) == (JobState.DONE, 16)
    pages = await owner.store.pages(TENANT, job.id)
    assert len({page.seq for page in pages}) == 16


async def test_a_terminated_process_ends_its_pages(
    settings: Settings, owner: Owner, ocr: ScriptedOcr, tmp_path: Path
) -> None:
    """SIGTERM: what runs is recorded, nothing new begins, and the exit status is 0; its log names no file."""
    ocr.play = lambda _picture, _asked: Script(("confidential",), wait_s=1)
    job = await owner.submit(scanned(8), 8)
    async with worker_process(settings, tmp_path / "log") as process:
        await until(lambda: ocr.running == 4)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    states = Counter(page.state for page in await owner.store.pages(TENANT, job.id))
    assert states == {PageState.DONE: 4, PageState.READY: 4}
    log = (tmp_path / "log").read_text()
    assert "secret" not in log
    assert "confidential" not in log
