"""What an owner changes: cancelled, run again, forgotten."""

from collections.abc import Collection, Mapping

from pecia_core.errors import Conflict, NotFound
from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import counting, ending, readiness
from pecia_jobs.blobs import job_prefix
from pecia_jobs.expressions import Now
from pecia_jobs.listing import find
from pecia_jobs.model import ASSEMBLY, JobState, PageState
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import job, outbox, page, page_ready, trash
from pecia_jobs.tally import Tally
from pecia_jobs.tenants import insert_if_new

_ALIVE = (PageState.WAITING, PageState.READY, PageState.LEASED)
_OVER = (PageState.FAILED, PageState.CANCELLED)


async def cancel(connection: AsyncConnection, tenant: str, job_id: str) -> AnyRow:
    """Stop it. Whoever works on a page of it hears with the next beat or look."""
    tally = await _held(connection, tenant, job_id)
    if not tally.state.terminal:
        mine = page.c.job_id == job_id
        await _withdraw(connection, mine)
        await _cancel_pages(connection, tally)
        await ending.end(connection, tally, JobState.CANCELLED)
        await counting.written(connection, [tally])
    return await find(connection, tenant, job_id)


async def _cancel_pages(connection: AsyncConnection, tally: Tally) -> None:
    alive = (page.c.job_id == tally.id) & page.c.state.in_(_ALIVE)
    # Locked in the order in which beats lock them.
    locked = select(page.c.state).where(alive).order_by(page.c.id).with_for_update(key_share=True)
    tally.ended += list((await connection.execute(locked)).scalars()).count(PageState.LEASED)
    over = {"state": PageState.CANCELLED, "due": None, "finished": Now()}
    await _end_pages(connection, tally, and_(alive, page.c.number != ASSEMBLY), over)
    await connection.execute(update(page).where(alive).values(**over))


async def _withdraw(connection: AsyncConnection, chosen: ColumnElement[bool]) -> None:
    """Take pages of a held job off the queue, before anything else of them: a claim may have them now."""
    ids = select(page.c.id).where(chosen)
    await connection.execute(delete(page_ready).where(page_ready.c.page_id.in_(ids)))


async def rerun(
    connection: AsyncConnection, tenant: str, job_id: str, numbers: Collection[int] | None
) -> AnyRow:
    """Queue pages that are over again; the job goes on, or begins anew."""
    row = await find(connection, tenant, job_id)
    tally = await _held(connection, tenant, job_id)
    states = _OVER if numbers is None else (*_OVER, PageState.DONE)
    chosen = and_(page.c.job_id == job_id, page.c.number != ASSEMBLY, page.c.state.in_(states))
    if numbers is not None:
        await _check_numbers(connection, job_id, numbers)
        chosen = and_(chosen, page.c.number.in_(sorted(set(numbers))))
    found = list((await connection.execute(select(page.c.state).where(chosen))).scalars())
    if not found:
        raise Conflict("No page of this job can be run again now: look at its pages.", code="job_finished")
    if row.locked and tally.state.terminal:
        raise Conflict(
            "The password was forgotten when the job ended. Send the document again with its password.",
            code="job_finished",
        )
    if tally.state is JobState.CANCELLED and numbers is not None:
        await _give_up_others(connection, tally, numbers)
    await _reopen(connection, tally)
    tally.done -= found.count(PageState.DONE)
    tally.failed -= found.count(PageState.FAILED)
    tally.next_seq()
    fresh = {"attempts": 0, "seq": 0, "finished": None, "error": "", "error_code": "", "result_key": ""}
    await readiness.queue_anew(connection, tally, chosen, **fresh)
    await counting.written(connection, [tally])
    return await find(connection, tenant, job_id)


async def _give_up_others(connection: AsyncConnection, tally: Tally, numbers: Collection[int]) -> None:
    """What was cancelled and is not asked for now is missing from the result: it counts as failed."""
    others = and_(
        page.c.job_id == tally.id,
        page.c.number != ASSEMBLY,
        page.c.number.not_in(sorted(set(numbers))),
        page.c.state == PageState.CANCELLED,
    )
    why = {"error_code": "cancelled", "error": "The job was cancelled before this page was read."}
    tally.failed += await _end_pages(connection, tally, others, {"state": PageState.FAILED, **why})


async def _end_pages(
    connection: AsyncConnection, tally: Tally, chosen: ColumnElement[bool], values: Mapping[str, object]
) -> int:
    """Change these pages of a held job, each numbered; gives how many."""
    place = func.row_number().over(order_by=page.c.number).label("place")
    places = select(page.c.id, place).where(chosen).subquery()
    numbered = update(page).where(page.c.id == places.c.id)
    changed = await connection.execute(numbered.values(seq=tally.seq + places.c.place, **values))
    tally.seq += changed.rowcount
    return changed.rowcount


async def _reopen(connection: AsyncConnection, tally: Tally) -> None:
    """From its end or its assembly back to its pages."""
    if tally.state is JobState.FINALIZING:
        task = (page.c.job_id == tally.id) & (page.c.number == ASSEMBLY)
        await _withdraw(connection, task)
        tally.ended += await _count(connection, task & (page.c.state == PageState.LEASED))
        await connection.execute(update(page).where(task).values(state=PageState.CANCELLED, due=None))
        tally.state = JobState.RUNNING
    elif tally.state.terminal:
        tally.state = JobState.QUEUED
        await connection.execute(update(job).where(job.c.id == tally.id).values(finished=None, error=""))


async def forget(connection: AsyncConnection, tenant: str, job_id: str) -> list[str]:
    """Delete its rows; the blobs' prefix is kept until they are gone. Deliveries on their way stay."""
    tally = await _held(connection, tenant, job_id)
    if not tally.state.terminal:
        raise Conflict("The job has not ended. Cancel it first.", code="job_not_completed")
    prefix = job_prefix(tenant, job_id)
    await insert_if_new(connection, trash, {"prefix": prefix, "due": Now()})
    await connection.execute(delete(outbox).where(outbox.c.job_id == job_id, outbox.c.status != "pending"))
    await connection.execute(delete(job).where(job.c.id == job_id))
    return [prefix]


async def _held(connection: AsyncConnection, tenant: str, job_id: str) -> Tally:
    tally = (await counting.held(connection, [job_id])).get(job_id)
    if tally is None or tally.tenant != tenant:
        raise NotFound("There is no such job. It may have been deleted, or its time was over.")
    return tally


async def _count(connection: AsyncConnection, chosen: ColumnElement[bool]) -> int:
    return int((await connection.execute(select(func.count()).where(chosen))).scalar_one())


async def _check_numbers(connection: AsyncConnection, job_id: str, numbers: Collection[int]) -> None:
    known = select(page.c.number).where(page.c.job_id == job_id, page.c.number != ASSEMBLY)
    if set(numbers) - set((await connection.execute(known)).scalars()):
        raise NotFound("The job has no such page: see the numbers in its list of pages.", param="numbers")
