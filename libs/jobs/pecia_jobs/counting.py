"""Jobs that a transaction holds, and what becomes of their pages: counted here, written once a job.

Whoever changes pages holds their job, so that pages are numbered in the order in which they can be seen:
a reader who asks for what came after a number misses nothing. Only a claim and a beat do without.
"""

from collections.abc import Iterable

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import readiness, tenants
from pecia_jobs.expressions import Now
from pecia_jobs.model import JobState
from pecia_jobs.schema import job
from pecia_jobs.tally import Tally

_COLUMNS = (
    job.c.id,
    job.c.tenant,
    job.c.priority,
    job.c.state,
    job.c.pages_total,
    job.c.pages_done,
    job.c.pages_failed,
    job.c.seq,
)
_READING = frozenset({JobState.QUEUED, JobState.RUNNING})


async def held(connection: AsyncConnection, job_ids: Iterable[str]) -> dict[str, Tally]:
    """Lock these jobs, always in the same order, and say how they stand. Unknown ones are left out."""
    query = select(*_COLUMNS).where(job.c.id.in_(sorted(set(job_ids)))).order_by(job.c.id)
    rows = await connection.execute(query.with_for_update(key_share=True))
    return {row.id: Tally(*row[:3], JobState(row.state), *row[4:]) for row in rows}


async def written(connection: AsyncConnection, tallies: Iterable[Tally]) -> None:
    """Write what was counted; a job whose last page ended becomes finalizing and gets its assembly task."""
    freed: dict[str, int] = {}
    woken = set()
    for tally in tallies:
        if tally.state in _READING and tally.done + tally.failed >= tally.total:
            tally.state = JobState.FINALIZING
            tally.next_seq()
            await readiness.give_assembly(connection, tally)
        await _write(connection, tally)
        freed[tally.tenant] = freed.get(tally.tenant, 0) + tally.ended
        if tally.woken:
            woken.add(tally.tenant)
    await tenants.settle(connection, freed, woken)


async def _write(connection: AsyncConnection, tally: Tally) -> None:
    values = {
        "state": tally.state,
        "pages_done": tally.done,
        "pages_failed": tally.failed,
        "seq": tally.seq,
        "bytes_stored": job.c.bytes_stored + tally.stored,
    }
    if tally.state in {JobState.RUNNING, JobState.FINALIZING}:
        values["started"] = func.coalesce(job.c.started, Now())
    await connection.execute(update(job).where(job.c.id == tally.id).values(**values))
