"""Pages that are due: into `page_ready` in the same breath as their state says so.

A tenant's pages are served by rank. The pages of a job have ranks one after another, from the round that
its tenant has come to: so the jobs of a tenant take turns, and a receipt is not behind a whole book.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.expressions import Now
from pecia_jobs.model import ASSEMBLY, PageState
from pecia_jobs.schema import page, page_ready, tenant
from pecia_jobs.tally import Tally

ROUNDS = (tenant.c.round_priority, tenant.c.round_default, tenant.c.round_flex)
_QUEUED = ("page_id", "tenant", "priority", "rank", "number", "since")


async def round_of(connection: AsyncConnection, name: str, priority: int) -> int:
    """The round a tenant's pages of this priority (0 first) have come to; a new job begins with the next."""
    return int((await connection.execute(select(ROUNDS[priority]).where(tenant.c.id == name))).scalar_one())


async def make_ready(connection: AsyncConnection, page_ids: Sequence[int], **values: object) -> None:
    """Queue these pages of held jobs at the ranks they had; `values` change with their state."""
    chosen = page.c.id.in_(page_ids)
    await connection.execute(update(page).where(chosen).values(state=PageState.READY, due=None, **values))
    await put_in_queue(connection, chosen)


async def queue_anew(
    connection: AsyncConnection, tally: Tally, chosen: ColumnElement[bool], **values: object
) -> None:
    """Queue the chosen pages of a held job, in their order, from its tenant's next round on."""
    base = await round_of(connection, tally.tenant, tally.priority)
    mine = page.c.job_id == tally.id
    place = func.row_number().over(order_by=page.c.number).label("place")
    places = select(page.c.id, place).where(mine, chosen).subquery()
    ranked = update(page).where(page.c.id == places.c.id)
    await connection.execute(
        ranked.values(state=PageState.READY, due=None, rank=base + places.c.place, **values)
    )
    queued = exists().where(page_ready.c.page_id == page.c.id)
    await put_in_queue(connection, mine & (page.c.state == PageState.READY) & ~queued)
    tally.woken = True


async def put_in_queue(connection: AsyncConnection, chosen: ColumnElement[bool]) -> None:
    """Rows in `page_ready` for the chosen pages, whose state is ready already."""
    columns = (page.c.id, page.c.tenant, page.c.priority, page.c.rank, page.c.number, Now())
    source = select(*columns).where(chosen)
    await connection.execute(insert(page_ready).from_select(_QUEUED, source))


async def give_assembly(connection: AsyncConnection, tally: Tally) -> None:
    """Queue the task that puts a held job together, from its first attempt; it goes before all pages."""
    mine = (page.c.job_id == tally.id) & (page.c.number == ASSEMBLY)
    again = update(page).where(mine).values(state=PageState.READY, attempts=0, due=None)
    if (await connection.execute(again)).rowcount == 0:
        task = {"job_id": tally.id, "number": ASSEMBLY, "tenant": tally.tenant, "priority": tally.priority}
        await connection.execute(insert(page).values(**task, rank=0, state=PageState.READY))
    await put_in_queue(connection, mine)
    tally.woken = True
