"""Whether the tables say the same thing: counters, queue, states and numbers."""

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.database import Database
from pecia_jobs.model import ASSEMBLY, JobState, PageState
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import job, page, page_ready, tenant

_ENDED = {PageState.DONE, PageState.FAILED, PageState.CANCELLED}
_ALIVE = {PageState.WAITING, PageState.READY, PageState.LEASED}


async def audit(database: Database) -> list[str]:
    """Everything that does not fit, in words; [] = all is well."""
    async with database.write() as connection:
        if not database.sqlite:  # all four tables as of one moment
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        pages = await _all(connection, page)
        queued = await _all(connection, page_ready)
        tenants, jobs = await _all(connection, tenant), await _all(connection, job)
    return [*_queue(pages, queued), *_tenants(pages, queued, tenants), *_jobs(pages, jobs)]


async def _all(connection: AsyncConnection, table: Table) -> Sequence[AnyRow]:
    return (await connection.execute(select(table))).all()


def _queue(pages: Sequence[AnyRow], queued: Sequence[AnyRow]) -> Iterator[str]:
    ready = {row.id for row in pages if row.state == PageState.READY}
    waiting = {row.page_id for row in queued}
    if ready != waiting:
        yield f"pages ready but not queued: {ready - waiting}; queued but not ready: {waiting - ready}"
    for row in pages:
        timed = row.state in {PageState.LEASED, PageState.WAITING}
        if row.due is not None and not timed:
            yield f"page {row.number} of {row.job_id} is {row.state} and due"


def _tenants(pages: Sequence[AnyRow], queued: Sequence[AnyRow], tenants: Sequence[AnyRow]) -> Iterator[str]:
    leased = Counter(row.tenant for row in pages if row.state == PageState.LEASED)
    busy = {row.tenant for row in queued}
    for row in tenants:
        if row.running != leased[row.id]:
            yield f"tenant {row.id} counts {row.running} running pages, {leased[row.id]} are leased"
        if row.id in busy and not row.active:
            yield f"tenant {row.id} has pages to do and counts as idle"


def _jobs(pages: Sequence[AnyRow], jobs: Sequence[AnyRow]) -> Iterator[str]:
    for row in jobs:
        mine = [each for each in pages if each.job_id == row.id and each.number != ASSEMBLY]
        states = Counter(each.state for each in mine)
        if (row.pages_done, row.pages_failed) != (states[PageState.DONE], states[PageState.FAILED]):
            yield f"job {row.id} counts {row.pages_done} done, {row.pages_failed} failed; pages say {states}"
        ended = [each.seq for each in mine if each.state in _ENDED]
        if len(set(ended)) < len(ended) or any(not 0 < seq <= row.seq for seq in ended):
            yield f"job {row.id} at {row.seq} has pages numbered {sorted(ended)}"
        if any(each.seq for each in mine if each.state not in _ENDED):
            yield f"job {row.id} has pages that are numbered and not ended"
        yield from _state(row, [each for each in pages if each.job_id == row.id])


def _state(row: AnyRow, mine: Sequence[AnyRow]) -> Iterator[str]:
    state = JobState(row.state)
    alive = [each.number for each in mine if each.state in _ALIVE]
    if state.terminal != (row.finished is not None):
        yield f"job {row.id} is {state}, finished {row.finished}"
    if state.terminal and (alive or row.password):
        yield f"job {row.id} is {state} with live pages {alive} or its password"
    if state is JobState.FINALIZING and alive != [ASSEMBLY]:
        yield f"job {row.id} is finalizing with live pages {alive}"
    if state in {JobState.QUEUED, JobState.RUNNING, JobState.SCHEDULED} and not set(alive) - {ASSEMBLY}:
        yield f"job {row.id} is {state} and nothing of it is to be done"
