"""Looking at jobs: one, many in pages that stay in place, and their pages."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from pecia_core.errors import InvalidRequest, NotFound
from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.expressions import Now
from pecia_jobs.model import ASSEMBLY, Job, JobState, JobStatus
from pecia_jobs.rows import PRIORITIES, AnyRow
from pecia_jobs.schema import job, page, page_ready, tenant

# More pages before a job are not counted: for an estimate it makes no difference.
_COUNTED = 10_000
Cursor = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which pages: those that ended after a number, those of these numbers, or all."""

    after_seq: int | None = None
    numbers: tuple[int, ...] | None = None


async def find(connection: AsyncConnection, tenant: str | None, job_id: str) -> AnyRow:
    """A job of this tenant; None = of any.

    Raises:
        NotFound: there is none, or it is another's, which nobody is told.
    """
    query = select(job).where(job.c.id == job_id)
    if tenant is not None:
        query = query.where(job.c.tenant == tenant)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such job. It may have been deleted, or its time was over.")
    return row


async def pages(connection: AsyncConnection, tenant: str, job_id: str, chosen: Chosen) -> Sequence[AnyRow]:
    """Rows of the chosen pages."""
    query = select(page).where(page.c.job_id == job_id, page.c.tenant == tenant, page.c.number > ASSEMBLY)
    if chosen.numbers is not None:
        query = query.where(page.c.number.in_(chosen.numbers))
    if chosen.after_seq is None:
        query = query.order_by(page.c.number)
    else:
        query = query.where(page.c.seq > max(chosen.after_seq, 0)).order_by(page.c.seq)
    rows = (await connection.execute(query)).all()
    if not rows:
        await find(connection, tenant, job_id)
    return rows


async def jobs(
    connection: AsyncConnection, tenant: str, status: JobStatus | None, after: Cursor | None, limit: int
) -> tuple[Sequence[AnyRow], str]:
    """A page of the list, and the cursor of the next one."""
    query = select(job).where(job.c.tenant == tenant)
    if status is not None:
        query = query.where(job.c.state.in_([state for state in JobState if state.status is status]))
    if after is not None:
        created, job_id = after
        query = query.where(or_(job.c.created < created, and_(job.c.created == created, job.c.id < job_id)))
    query = query.order_by(job.c.created.desc(), job.c.id.desc()).limit(limit + 1)
    rows = (await connection.execute(query)).all()
    if len(rows) <= limit:
        return rows, ""
    return rows[:limit], _written(rows[limit - 1])


def parsed(cursor: str) -> Cursor | None:
    """Where the list goes on; None = at its beginning.

    Raises:
        InvalidRequest: it is no cursor.
    """
    if not cursor:
        return None
    try:
        created, job_id = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
        return float(created), str(job_id)
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidRequest(
            "The cursor is not one of ours. Leave it away to begin with the newest job.",
            code="unsupported_value",
            param="cursor",
        ) from error


def _written(row: AnyRow) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.created, row.id]).encode()).decode()


async def ahead(connection: AsyncConnection, of: Job) -> int:
    """Pages due before this job's first: its tenant's own, and as many of others as fair shares let pass."""
    priority = PRIORITIES.index(of.priority)
    first = (
        select(page_ready.c.rank)
        .join(page, page.c.id == page_ready.c.page_id)
        .where(page.c.job_id == of.id)
        .order_by(page_ready.c.rank)
        .limit(1)
    )
    rank = (await connection.execute(first)).scalar_one_or_none()
    if rank is None:
        return 0
    before = tuple_(page_ready.c.priority, page_ready.c.rank) < tuple_(priority, rank)
    own = await _count(connection, and_(page_ready.c.tenant == of.tenant, before))
    others = await _count(connection, page_ready.c.tenant != of.tenant)
    return min(_COUNTED, own + min(others, own))


async def _count(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    some = select(page_ready.c.page_id).where(which).limit(_COUNTED).subquery()
    return int((await connection.execute(select(func.count()).select_from(some))).scalar_one())


async def longest_wait(connection: AsyncConnection) -> float:
    """Seconds of the page that waits longest of those at the head of a line; 0.0 = none waits."""
    heads = union_all(*(_heads(priority) for priority in range(len(PRIORITIES)))).subquery()
    seconds = select(Now() - func.min(heads.c.since))
    return max(0.0, (await connection.execute(seconds)).scalar() or 0.0)


def _heads(priority: int) -> Select[tuple[float]]:
    """Since when the next page of each tenant's line waits."""
    mine = (page_ready.c.tenant == tenant.c.id) & (page_ready.c.priority == priority)
    order = (page_ready.c.rank, page_ready.c.number)
    head = select(page_ready.c.since).where(mine).order_by(*order).limit(1).scalar_subquery()
    return select(head.label("since")).where(tenant.c.active)
