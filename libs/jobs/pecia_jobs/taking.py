"""Pages off the queue in one statement, for PostgreSQL: nobody holds a tenant while he talks to the server.

Step by step, as on SQLite, each claim would keep a tenant's others waiting for four round trips.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    Dialect,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    delete,
    func,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from pecia_jobs.expressions import Now, new_token
from pecia_jobs.model import PageState
from pecia_jobs.readiness import ROUNDS
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import job, page, page_ready, tenant
from pecia_jobs.sharing import room

ORDER = (page_ready.c.priority, page_ready.c.rank, page_ready.c.number)
LEASED = {
    "state": PageState.LEASED,
    "attempts": page.c.attempts + 1,
    "worker": bindparam("by", type_=Text),
    "lease_token": new_token(page.c.id),
    "due": Now() + bindparam("lease_s"),
}
# What a claim gives of a page, and whether its job has begun before.
TOLD = (
    page.c.job_id,
    page.c.tenant,
    page.c.number,
    page.c.lease_token,
    page.c.attempts,
    select(job.c.state).where(job.c.id == page.c.job_id).scalar_subquery().label("job_state"),
)


async def take(
    connection: AsyncConnection, share: Mapping[str, int], values: Mapping[str, object]
) -> Sequence[AnyRow]:
    """Lease so many pages of each tenant, or fewer where its limit was reached meanwhile; rows of `TOLD`."""
    tenants = {f"t{place}": name for place, name in enumerate(share)}
    pages = {f"n{place}": most for place, most in enumerate(share.values())}
    compiled = _compiled(len(share), connection.dialect)
    said: dict[str, Any] = {**compiled.params, **values, **tenants, **pages}
    # Not executed as an object: to find that again among compiled ones costs more than all the rest.
    by_place = tuple(said[name] for name in compiled.positiontup or ())
    rows: Sequence[AnyRow] = (await connection.exec_driver_sql(str(compiled), by_place)).all()
    return rows


@cache
def _compiled(tenants: int, dialect: Dialect) -> SQLCompiler:
    compiled = _statement(tenants).compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError("a SELECT compiles to SQL")
    return compiled


def _statement(tenants: int) -> Select[Any]:
    """For so many tenants.

    Every choice stands in a CTE of its own that is computed once: as a subquery the planner may compute it
    for every row, and then more pages are taken than the limit says. The limit is a bare parameter: of an
    expression the planner expects a tenth of the queue, and sorts it.
    """
    held = _held(tenants)
    first = (
        select(page_ready)
        .where(page_ready.c.tenant == held.c.id)
        .order_by(*ORDER)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .lateral("first")
    )
    found = select(held.c.share, first).join(first, true()).where(held.c.share > 0)
    found_once = _once(found, "found")
    order = (found_once.c.priority, found_once.c.rank, found_once.c.number)
    place = func.row_number().over(partition_by=found_once.c.tenant, order_by=order).label("place")
    placed = select(found_once, place).cte("placed")
    chosen = select(placed.c.page_id).where(placed.c.place <= placed.c.share)
    taken = delete(page_ready).where(page_ready.c.page_id.in_(chosen)).returning(*page_ready.c).cte("taken")
    leased = (
        update(page)
        .where(page.c.id == taken.c.page_id, page.c.state == PageState.READY)
        .values(LEASED)
        .returning(*TOLD, taken.c.priority, taken.c.rank)
        .cte("leased")
    )
    return (
        select(leased).order_by(leased.c.priority, leased.c.rank, leased.c.number).add_cte(_counted(leased))
    )


def _held(tenants: int) -> CTE:
    """Their rows, locked in one order, as they are once nobody else has them."""
    names = [bindparam(f"t{place}", type_=Text) for place in range(tenants)]
    asked = [(tenant.c.id == name, bindparam(f"n{place}", type_=Integer)) for place, name in enumerate(names)]
    share = func.least(case(*asked), room).label("share")
    rows = select(tenant.c.id, share).where(tenant.c.id.in_(names)).order_by(tenant.c.id)
    return _once(rows.with_for_update(key_share=True), "held")


def _once(rows: Select[Any], name: str) -> CTE:
    return rows.cte(name).prefix_with("MATERIALIZED")


def _counted(leased: CTE) -> CTE:
    """The leases counted on their tenants, and the rounds they have come to."""
    rounds = {
        column.name: func.coalesce(func.max(leased.c.rank).filter(leased.c.priority == order), 0)
        for order, column in enumerate(ROUNDS)
    }
    sums = (
        select(
            leased.c.tenant, func.count().label("pages"), *(each.label(name) for name, each in rounds.items())
        )
        .group_by(leased.c.tenant)
        .subquery("sums")
    )
    newest = {column.name: func.greatest(column, sums.c[column.name]) for column in ROUNDS}
    counted = update(tenant).where(tenant.c.id == sums.c.tenant)
    return (
        counted.values(running=tenant.c.running + sums.c.pages, **newest)
        .returning(tenant.c.id)
        .cte("counted")
    )
