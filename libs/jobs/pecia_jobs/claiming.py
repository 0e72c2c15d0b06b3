"""Who gets pages, and which: fair between tenants, exact in their limits, in turns between their jobs.

A claim holds the rows of a few tenants, reads how many pages of each are running, and takes no more than
fit. Every page that ends is counted in the same row, so nothing is ever counted by looking at pages.
"""

import heapq
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Integer,
    Select,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningDelete

from pecia_jobs.expressions import Now, new_token
from pecia_jobs.model import Lease, PageState
from pecia_jobs.readiness import ROUNDS
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import job, page, page_ready, tenant

# Tenants one claim serves: more would be kept from other claims meanwhile.
_TENANTS = 4
_room = func.coalesce(tenant.c.max_running, bindparam("unset", type_=Integer)) - tenant.c.running
_waiting: Select[Any] = (
    select(tenant.c.id, tenant.c.running, tenant.c.weight, _room.label("room"))
    .where(tenant.c.active, _room > 0)
    .order_by(tenant.c.running / tenant.c.weight, tenant.c.id)
    .limit(bindparam("tenants", type_=Integer))
)
_FREE_TENANTS = _waiting.with_for_update(skip_locked=True)
_NEXT_TENANT = _waiting.with_for_update()
_LEASE = (
    update(page)
    .where(page.c.id.in_(bindparam("ids", expanding=True)), page.c.state == PageState.READY)
    .values(
        state=PageState.LEASED,
        attempts=page.c.attempts + 1,
        worker=bindparam("by"),
        lease_token=new_token(page.c.id),
        due=Now() + bindparam("lease_s"),
    )
    .returning(
        page.c.id,
        page.c.job_id,
        page.c.tenant,
        page.c.number,
        page.c.lease_token,
        page.c.attempts,
        select(job.c.state).where(job.c.id == page.c.job_id).scalar_subquery().label("job_state"),
    )
)
_COUNT = (
    update(tenant)
    .where(tenant.c.id == bindparam("t"))
    .values(
        running=tenant.c.running + bindparam("taken"),
        # Looked at by its own snapshot: a row that somebody is about to delete or to add still counts.
        active=case(
            (bindparam("short", type_=Boolean), exists().where(page_ready.c.tenant == bindparam("t"))),
            else_=tenant.c.active,
        ),
        **{
            column.name: case((column < bindparam(f"r{order}"), bindparam(f"r{order}")), else_=column)
            for order, column in enumerate(ROUNDS)
        },
    )
)


async def any_due(connection: AsyncConnection, unset: int) -> bool:
    """Whether a claim would find anything; nothing is locked."""
    return (await connection.execute(_waiting, {"tenants": 1, "unset": unset})).first() is not None


async def claimed(
    connection: AsyncConnection, worker: str, n: int, *, lease_s: float, unset: int
) -> list[tuple[Lease, str]]:
    """At most `n` pages, leased, each with the state of its job; [] = nobody has any that may run.

    Args:
        connection: in a transaction of its own.
        worker: who asks; for people who look.
        n: pages.
        lease_s: seconds until others may take them.
        unset: pages at once of a tenant for whom no limit was set.
    """
    rows = (await connection.execute(_FREE_TENANTS, {"tenants": min(n, _TENANTS), "unset": unset})).all()
    if not rows:  # a tenant that others serve at this moment is waited for
        rows = (await connection.execute(_NEXT_TENANT, {"tenants": 1, "unset": unset})).all()
    if not rows:
        return []
    share = shares(rows, n)
    taken = await _take(connection, share)
    ids = {row.page_id: place for place, row in enumerate(taken)}
    leased: Sequence[AnyRow] = ()
    if ids:
        values = {"ids": list(ids), "by": worker, "lease_s": lease_s}
        leased = sorted((await connection.execute(_LEASE, values)).all(), key=lambda row: ids[row.id])
    await _count(connection, share, taken, leased)
    return [(Lease(*row[1:6]), row.job_state) for row in leased]


def shares(tenants: Sequence[AnyRow], n: int) -> dict[str, int]:
    """Part `n` pages among tenants: one by one to whoever has the least running for its weight."""
    heap = [(row.running / row.weight, place, 0) for place, row in enumerate(tenants)]
    heapq.heapify(heap)
    share = dict.fromkeys((row.id for row in tenants), 0)
    for _ in range(n):
        if not heap:
            break
        _, place, given = heapq.heappop(heap)
        row = tenants[place]
        share[row.id] = given + 1
        if given + 1 < row.room:
            heapq.heappush(heap, ((row.running + given + 1) / row.weight, place, given + 1))
    return {name: pages for name, pages in share.items() if pages}


@cache
def _taking(tenants: int) -> ReturningDelete[*tuple[Any, ...]]:
    """The statement that takes the first pages of so many tenants off the queue.

    The choice stands in a CTE that is computed once: as a plain subquery the planner may compute it for
    every row, and then more pages are taken than the limit says.
    """
    order = (page_ready.c.priority, page_ready.c.rank, page_ready.c.number)
    chosen = [
        select(page_ready.c.page_id)
        .where(page_ready.c.tenant == bindparam(f"t{place}"))
        .order_by(*order)
        .limit(bindparam(f"n{place}", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte(f"chosen{place}")
        .prefix_with("MATERIALIZED", dialect="postgresql")
        for place in range(tenants)
    ]
    ids = union_all(*(select(one.c.page_id) for one in chosen))
    return delete(page_ready).where(page_ready.c.page_id.in_(ids)).returning(*page_ready.c)


async def _take(connection: AsyncConnection, share: Mapping[str, int]) -> list[AnyRow]:
    values: dict[str, object] = {}
    for place, (name, pages) in enumerate(share.items()):
        values |= {f"t{place}": name, f"n{place}": pages}
    rows = (await connection.execute(_taking(len(share)), values)).all()
    if len(rows) > sum(share.values()):
        raise RuntimeError(
            f"claimed {len(rows)} pages for {sum(share.values())}: the queue's statement is wrong"
        )
    return sorted(rows, key=lambda row: (row.priority, row.rank, row.number))


async def _count(
    connection: AsyncConnection,
    share: Mapping[str, int],
    taken: Sequence[AnyRow],
    leased: Sequence[AnyRow],
) -> None:
    counted = []
    for name, pages in share.items():
        mine = [row for row in taken if row.tenant == name]
        rounds = {
            f"r{order}": max((row.rank for row in mine if row.priority == order), default=0)
            for order in range(3)
        }
        running = sum(row.tenant == name for row in leased)
        counted.append({"t": name, "taken": running, "short": len(mine) < pages, **rounds})
    await connection.execute(_COUNT, counted)
