"""Results into the database, several at once."""

import asyncio
from collections.abc import Sequence

import pytest
from pecia_core.errors import Unavailable
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState, Lease, PageResult, PageSource
from pecia_worker.metrics import Metrics
from pecia_worker.patience import Patience
from pecia_worker.recording import Recorder
from pecia_worker.testing import TENANT, Owner, scanned
from prometheus_client import CollectorRegistry


class CountedLeases(Leases):
    """Remembers what was recorded together; away for the first `refusals` times."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.batches: list[int] = []
        self.refusals = 0

    async def record(self, results: Sequence[PageResult]) -> set[str]:
        """As it is, or not at all."""
        self.batches.append(len(results))
        if len(self.batches) <= self.refusals:
            raise Unavailable("The job database does not answer.", code="store_unavailable")
        return await super().record(results)


def result(lease: Lease) -> PageResult:
    """Of a page that was read."""
    return PageResult(lease, f"{lease.token}.json", "0" * 64, 100, PageSource.OCR, "rapid")


@pytest.fixture
def leases(database: Database) -> CountedLeases:
    """Over that database."""
    return CountedLeases(database)


@pytest.fixture
def recorder(leases: CountedLeases) -> Recorder:
    """With endless patience."""
    return Recorder(leases, Patience(Metrics(CollectorRegistry()), float("inf")))


async def test_results_of_a_moment_go_together(
    leases: CountedLeases, recorder: Recorder, owner: Owner
) -> None:
    """Twenty results, one transaction or a few, each with its own answer; who lost the lease hears so."""
    job = await owner.submit(scanned(20), 20)
    claimed = await leases.claim("me", 20)
    await leases.release([claimed[0].token])
    task = asyncio.create_task(recorder.run())
    answers = await asyncio.gather(*(recorder.record(result(lease)) for lease in claimed))
    task.cancel()
    assert answers == [False] + [True] * 19
    assert len(leases.batches) <= 4
    assert (await owner.store.job(TENANT, job.id)).pages_done == 19


async def test_a_database_that_is_away_loses_no_result(
    leases: CountedLeases, recorder: Recorder, owner: Owner
) -> None:
    """It is asked until it answers."""
    leases.refusals = 4
    job = await owner.submit(scanned(1), 1)
    (lease,) = await leases.claim("me", 1)
    task = asyncio.create_task(recorder.run())
    assert await asyncio.wait_for(recorder.record(result(lease)), 30)
    task.cancel()
    assert len(leases.batches) == 5
    assert (await owner.store.job(TENANT, job.id)).state is JobState.FINALIZING
