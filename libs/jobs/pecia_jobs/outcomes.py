"""What becomes of leased pages: done, failed, to be tried again, given back. Each inside a transaction.

Everything may be repeated: a page keeps the token of its last lease, so that whoever asks again whether
his result was recorded gets the same answer, and it is counted once.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import counting, ending, readiness
from pecia_jobs.expressions import Now, page_id_of
from pecia_jobs.model import ASSEMBLY, JobState, Lease, PageResult, PageState
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import page
from pecia_jobs.tally import Tally

# Seconds before a failed page is tried again, doubled each time, less up to half by chance.
_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 300.0
# Times as many tries has putting a job together: the work of all its pages hangs on it.
_ASSEMBLY_PATIENCE = 4
_OF_RESULT = (
    "source",
    "engine",
    "fallback_from",
    "confidence",
    "result_key",
    "result_sha256",
    "result_bytes",
)
_COLUMNS = (page.c.id, page.c.job_id, page.c.number, page.c.state, page.c.lease_token, page.c.attempts)
_SET_DONE = (
    update(page)
    .where(page.c.id == bindparam("page_id"))
    .values(
        state=PageState.DONE,
        due=None,
        finished=Now(),
        error="",
        error_code="",
        seq=bindparam("number_seen"),
        **{name: bindparam(f"of_{name}") for name in _OF_RESULT},
    )
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a page could not be done; `retry_after` seconds until the next try, None = as usual."""

    code: str
    message: str
    permanent: bool = False
    retry_after: float | None = None


def spent(row: AnyRow, max_attempts: int) -> bool:
    """Whether a page has had all its tries."""
    tries: int = max_attempts * (_ASSEMBLY_PATIENCE if row.number == ASSEMBLY else 1)
    return bool(row.attempts >= tries)


async def pages_of(connection: AsyncConnection, page_ids: Collection[int]) -> Sequence[AnyRow]:
    """These pages, locked in the one order everybody keeps. Their jobs are held already."""
    query = select(*_COLUMNS).where(page.c.id.in_(page_ids)).order_by(page.c.id)
    return (await connection.execute(query.with_for_update(key_share=True))).all()


async def record(connection: AsyncConnection, results: Sequence[PageResult]) -> set[str]:
    """Results of pages whose leases hold; gives the tokens that count, now or since before."""
    tallies = await counting.held(connection, {result.lease.job_id for result in results})
    by_token = {result.lease.token: result for result in results}
    done, recorded, touched = [], set(), {}
    for row in await pages_of(connection, {page_id_of(token) for token in by_token}):
        result = by_token.get(row.lease_token)
        if result is None or row.state not in {PageState.LEASED, PageState.DONE}:
            continue
        recorded.add(row.lease_token)
        if row.state == PageState.LEASED:
            tally = touched[row.job_id] = tallies[row.job_id]
            done.append(_done(row.id, result, tally))
    if done:
        await connection.execute(_SET_DONE, done)
        await counting.written(connection, touched.values())
    return recorded


def _done(page_id: int, result: PageResult, tally: Tally) -> dict[str, object]:
    tally.ended += 1
    tally.stored += result.result_bytes
    values = {f"of_{name}": getattr(result, name) for name in _OF_RESULT}
    return {"page_id": page_id, "number_seen": tally.page_ended(done=True), **values}


async def fail(
    connection: AsyncConnection, lease: Lease, failure: Failure, max_attempts: int
) -> PageState | None:
    """One page that could not be done; None = the lease was lost."""
    tallies = await counting.held(connection, [lease.job_id])
    rows = await pages_of(connection, [page_id_of(lease.token)])
    if not rows or rows[0].lease_token != lease.token:
        return None
    row, state = rows[0], PageState(rows[0].state)
    if state is not PageState.LEASED:  # said before, and the answer was lost
        return state if state in {PageState.WAITING, PageState.FAILED} else None
    tally = tallies[row.job_id]
    tally.ended += 1
    if failure.permanent or spent(row, max_attempts):
        state = PageState.FAILED
        await fail_for_good(connection, tally, row, failure)
    else:
        state = PageState.WAITING
        values = {"error_code": failure.code, "error": failure.message}
        again = update(page).where(page.c.id == row.id)
        due = Now() + _pause(row.attempts, failure.retry_after)
        await connection.execute(again.values(state=state, due=due, **values))
    await counting.written(connection, [tally])
    return state


def _pause(attempts: int, retry_after: float | None) -> float:
    if retry_after is not None:
        return max(0.0, retry_after)
    longest: float = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** min(attempts - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


async def fail_for_good(connection: AsyncConnection, tally: Tally, row: AnyRow, failure: Failure) -> None:
    """A page of a held job that is not tried again; a job that cannot be put together has failed."""
    values: dict[str, object] = {
        "state": PageState.FAILED,
        "due": None,
        "error_code": failure.code,
        "error": failure.message,
    }
    if row.number != ASSEMBLY:
        values |= {"seq": tally.page_ended(done=False), "finished": Now()}
    await connection.execute(update(page).where(page.c.id == row.id).values(**values))
    if row.number == ASSEMBLY:
        await ending.end(connection, tally, JobState.FAILED, failure.message)


async def release(connection: AsyncConnection, tokens: Collection[str], wait_s: float | None = None) -> None:
    """Pages whose leases hold go back to the queue, in `wait_s` seconds or at once; no attempt is counted."""
    page_ids = {page_id_of(token) for token in tokens}
    tallies = await held_by_pages(connection, page_ids)
    mine: dict[str, list[int]] = {}
    for row in await pages_of(connection, page_ids):
        if row.state == PageState.LEASED and row.lease_token in tokens:
            mine.setdefault(row.job_id, []).append(row.id)
    fewer = page.c.attempts - 1
    if wait_s is None:
        await give_back(connection, tallies, mine, attempts=fewer)
    else:
        later = {"state": PageState.WAITING, "due": Now() + wait_s, "attempts": fewer}
        chosen = page.c.id.in_([page_id for ids in mine.values() for page_id in ids])
        await connection.execute(update(page).where(chosen).values(later))
        for job_id, of_job in mine.items():
            tallies[job_id].ended += len(of_job)
    await counting.written(connection, [tallies[job_id] for job_id in mine])


async def give_back(
    connection: AsyncConnection,
    tallies: Mapping[str, Tally],
    leased: Mapping[str, list[int]],
    **values: object,
) -> None:
    """Leased pages of held jobs (by job) are due again at once; `written` has to follow."""
    if not leased:
        return
    await readiness.make_ready(connection, [page_id for ids in leased.values() for page_id in ids], **values)
    for job_id, of_job in leased.items():
        tallies[job_id].ended += len(of_job)
        tallies[job_id].woken = True


async def held_by_pages(connection: AsyncConnection, page_ids: Collection[int]) -> dict[str, Tally]:
    """Hold the jobs of these pages."""
    query = select(page.c.job_id).where(page.c.id.in_(page_ids)).distinct()
    return await counting.held(connection, (await connection.execute(query)).scalars())


async def finish(connection: AsyncConnection, lease: Lease, state: JobState, stored: int, error: str) -> bool:
    """The end of a job by its assembly task; False = the lease was lost."""
    tallies = await counting.held(connection, [lease.job_id])
    rows = await pages_of(connection, [page_id_of(lease.token)])
    if not rows or rows[0].lease_token != lease.token:
        return False
    if rows[0].state == PageState.DONE:  # said before, and the answer was lost
        return True
    tally = tallies[lease.job_id]
    if rows[0].state != PageState.LEASED or tally.state is not JobState.FINALIZING:
        return False
    await connection.execute(
        update(page).where(page.c.id == rows[0].id).values(state=PageState.DONE, due=None, finished=Now())
    )
    tally.ended += 1
    tally.stored += stored
    await ending.end(connection, tally, state, error)
    await counting.written(connection, [tally])
    return True


async def start(connection: AsyncConnection, job_ids: Collection[str]) -> None:
    """Jobs of which a page was taken for the first time."""
    for tally in (await counting.held(connection, job_ids)).values():
        if tally.state is JobState.QUEUED:
            tally.state = JobState.RUNNING
            tally.next_seq()
            await counting.written(connection, [tally])
