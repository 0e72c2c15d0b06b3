"""What goes: old jobs, results of those who lost their lease, inputs without a job. And what stays."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from pecia_jobs.blobs import Blobs, page_key
from pecia_jobs.database import Database
from pecia_jobs.model import Job
from pecia_jobs.retention import Limits, Retention
from pecia_jobs.store import Store
from pecia_worker.main import World
from pecia_worker.metrics import Metrics
from pecia_worker.purging import Purge
from pecia_worker.settings import Settings
from pecia_worker.testing import TENANT, Owner, scanned, working
from prometheus_client import CollectorRegistry

HOUR = 3600.0


@pytest.fixture
def metrics() -> Metrics:
    """Of the purge."""
    return Metrics(CollectorRegistry())


async def keys(blobs: Blobs, job: Job) -> set[str]:
    """The names of all blobs of a job, the token of a page left out."""
    prefix = job.input_key.rpartition("/")[0]
    found = [blob.key.removeprefix(f"{prefix}/") async for blob in blobs.list(prefix)]
    return {key.partition(".")[0] for key in found}


def age(folder: Path, hours: float) -> None:
    """Everything in a folder becomes that old."""
    then = time.time() - hours * HOUR
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


async def test_the_oldest_ended_jobs_make_room(
    settings: Settings, world: World, owner: Owner, blobs: Blobs, metrics: Metrics
) -> None:
    """Over the count the oldest go, rows and blobs; one that still waits stays, however old."""
    waiting = await owner.submit(scanned(1), 1, not_before=time.time() + HOUR)
    ended = [await owner.submit(scanned(1), 1) for _ in range(3)]
    async with working(settings, world):
        for job in ended:
            await owner.ended(job)
    limits = Limits(max_bytes=1 << 30, max_jobs=2, max_age_s=HOUR)
    purge = Purge(Retention(world.database, limits), owner.store, blobs, metrics, HOUR)
    await purge.make_room()
    left, _ = await owner.store.jobs(TENANT)
    assert waiting.id in {job.id for job in left}
    assert len(left) == 2
    (kept,) = [job for job in left if job.id != waiting.id]
    assert "result" in await keys(blobs, kept)
    for job in ended:
        assert bool(await keys(blobs, job)) == (job.id == kept.id)
    assert metrics.purged._value.get() == 2
    assert metrics.purged_bytes._value.get() > 0


async def test_two_workers_purge_at_once(
    settings: Settings, world: World, owner: Owner, blobs: Blobs, metrics: Metrics
) -> None:
    """They do the same, and it is done."""
    jobs = [await owner.submit(scanned(1), 1) for _ in range(2)]
    async with working(settings, world):
        for job in jobs:
            await owner.ended(job)
    limits = Limits(max_bytes=1, max_jobs=1, max_age_s=HOUR)
    purges = [Purge(Retention(world.database, limits), owner.store, blobs, metrics, HOUR) for _ in range(2)]
    await asyncio.gather(*(purge.make_room() for purge in purges))
    assert await owner.store.jobs(TENANT) == ([], "")
    assert [await keys(blobs, job) for job in jobs] == [set(), set()]


async def test_what_nobody_names_is_found(
    settings: Settings, world: World, owner: Owner, metrics: Metrics, tmp_path: Path
) -> None:
    """A loser's result and an input whose job was never made go, after a day; nothing that is young does."""
    blobs = owner.blobs
    job = await owner.submit(scanned(2), 2)
    async with working(settings, world):
        job = await owner.ended(job)
    loser = page_key(TENANT, job.id, 1, "99-loser")
    await blobs.put(loser, b"{}")
    forsaken = job.input_key.replace(job.id[-8:], "ffffffff")
    await blobs.put(forsaken, b"%PDF-")
    purge = _purge(world.database, owner.store, blobs, metrics)
    await purge.find_orphans()
    assert metrics.orphans._value.get() == 0
    age(tmp_path / "blobs", hours=25)
    await purge.find_orphans()
    assert metrics.orphans._value.get() == 2
    left = {blob.key async for blob in blobs.list()}
    assert not {loser, forsaken} & left
    pages = await owner.store.pages(TENANT, job.id)
    assert {page.result_key for page in pages} | {job.input_key} <= left


async def test_results_without_a_row_are_not_taken_for_rubbish(
    world: World, owner: Owner, blobs: Blobs, metrics: Metrics, tmp_path: Path
) -> None:
    """Whoever sets up the wrong database finds all results when it is set right."""
    key = page_key(TENANT, "secret.pdf_20260101_000000_000000aa", 1, "1-token")
    await blobs.put(key, b"{}")
    age(tmp_path / "blobs", hours=100)
    await _purge(world.database, owner.store, blobs, metrics).find_orphans()
    assert await blobs.get(key) == b"{}"


def _purge(database: Database, store: Store, blobs: Blobs, metrics: Metrics) -> Purge:
    limits = Limits(max_bytes=1 << 30, max_jobs=100, max_age_s=HOUR)
    return Purge(Retention(database, limits), store, blobs, metrics, orphan_age_s=24 * HOUR)
