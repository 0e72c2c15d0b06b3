"""What is due for everybody: lapsed leases, retries, jobs whose time has come, jobs nobody puts together.

Any worker may sweep at any time, several at once: every step holds the jobs it changes and looks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import counting, outcomes, readiness, tenants
from pecia_jobs.database import Database
from pecia_jobs.expressions import Now
from pecia_jobs.model import ASSEMBLY, JobState, PageState
from pecia_jobs.outcomes import Failure
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import job, page

# Of one transaction: small enough that nobody waits long for the jobs it holds.
_PAGES, _JOBS = 200, 20
_LAPSED = Failure(
    "server_error",
    "Every worker that tried this page stopped in the middle of it. Run the page again, or look at the "
    "workers' logs.",
)
_ALIVE = (PageState.READY, PageState.LEASED, PageState.WAITING)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many: leases lapsed (and pages failed by it), retries due, jobs begun, assemblies given again."""

    lapsed: int = 0
    failed: int = 0
    promoted: int = 0
    started: int = 0
    reassembled: int = 0


class Sweeper:
    """Looks for what is due, without a lock, and does it, a bounded number at a time."""

    def __init__(self, database: Database, max_attempts: int) -> None:
        """A page that lapsed `max_attempts` times has failed (see `outcomes.spent`)."""
        self._database = database
        self._max_attempts = max_attempts

    async def sweep(self) -> Swept:
        """Once over everything."""
        due = await self._database.reading(_due)
        lapsed = [row.id for row in due if row.state == PageState.LEASED]
        retries = [row.id for row in due if row.state == PageState.WAITING]
        jobs = await self._database.reading(_jobs)
        reaped = failed = promoted = started = reassembled = 0
        if lapsed:
            reaped, failed = await self._database.changing(lambda connection: self._reap(connection, lapsed))
        if retries:
            promoted = await self._database.changing(lambda connection: _promote(connection, retries))
        for row in jobs:
            if row.state == JobState.SCHEDULED:
                started += await self._database.changing(partial(_start, job_id=row.id))
            else:
                reassembled += await self._database.changing(partial(_reassemble, job_id=row.id))
        return Swept(reaped, failed, promoted, started, reassembled)

    async def _reap(self, connection: AsyncConnection, page_ids: Sequence[int]) -> tuple[int, int]:
        tallies = await outcomes.held_by_pages(connection, page_ids)
        again: dict[str, list[int]] = {}
        failed = 0
        rows = await _still_due(connection, page_ids, PageState.LEASED)
        for row in rows:
            if not outcomes.spent(row, self._max_attempts):
                again.setdefault(row.job_id, []).append(row.id)
                continue
            failed += 1
            tallies[row.job_id].ended += 1
            await outcomes.fail_for_good(connection, tallies[row.job_id], row, _LAPSED)
        await outcomes.give_back(connection, tallies, again)
        await counting.written(
            connection, [tallies[job_id] for job_id in sorted({row.job_id for row in rows})]
        )
        return len(rows), failed


async def _due(connection: AsyncConnection) -> Sequence[AnyRow]:
    query = select(page.c.id, page.c.state).where(page.c.due <= Now()).order_by(page.c.due).limit(_PAGES)
    return (await connection.execute(query)).all()


async def _jobs(connection: AsyncConnection) -> Sequence[AnyRow]:
    """Jobs whose time has come, and jobs that wait to be put together though nobody was given the task."""
    columns = select(job.c.id, job.c.state).limit(_JOBS)
    begun = columns.where(
        job.c.finished.is_(None), job.c.state == JobState.SCHEDULED, job.c.not_before <= Now()
    )
    task = exists().where(page.c.job_id == job.c.id, page.c.number == ASSEMBLY, page.c.state.in_(_ALIVE))
    left = columns.where(job.c.finished.is_(None), job.c.state == JobState.FINALIZING, ~task)
    return [*(await connection.execute(begun)).all(), *(await connection.execute(left)).all()]


async def _still_due(
    connection: AsyncConnection, page_ids: Sequence[int], state: PageState
) -> Sequence[AnyRow]:
    """Those of these pages that nobody else has taken care of, locked; their jobs are held."""
    due = select(page.c.id).where(page.c.id.in_(page_ids), page.c.state == state, page.c.due <= Now())
    return await outcomes.pages_of(connection, (await connection.execute(due)).scalars().all())


async def _promote(connection: AsyncConnection, page_ids: Sequence[int]) -> int:
    tallies = await outcomes.held_by_pages(connection, page_ids)
    rows = await _still_due(connection, page_ids, PageState.WAITING)
    await readiness.make_ready(connection, [row.id for row in rows])
    await tenants.settle(connection, {}, {tallies[row.job_id].tenant for row in rows})
    return len(rows)


async def _start(connection: AsyncConnection, job_id: str) -> bool:
    tally = (await counting.held(connection, [job_id])).get(job_id)
    if tally is None or tally.state is not JobState.SCHEDULED:
        return False
    tally.state = JobState.QUEUED
    tally.next_seq()
    await readiness.queue_anew(connection, tally, page.c.state == PageState.WAITING)
    await counting.written(connection, [tally])
    return True


async def _reassemble(connection: AsyncConnection, job_id: str) -> bool:
    tally = (await counting.held(connection, [job_id])).get(job_id)
    if tally is None or tally.state is not JobState.FINALIZING:
        return False
    await readiness.give_assembly(connection, tally)
    await counting.written(connection, [tally])
    return True
