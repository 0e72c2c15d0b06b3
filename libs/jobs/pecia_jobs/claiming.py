"""Claims: fair between tenants, exact in their limits, in turns between the jobs of a tenant.

A claim holds the rows of a few tenants, which count their running pages, and takes no more than fit. Every
page that ends is counted there too, so nothing is ever counted by looking at pages. On PostgreSQL all of it
is one statement (`taking`); SQLite has one writer, cannot change several tables at once, and goes step by
step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Integer, bindparam, case, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import taking
from pecia_jobs.database import Database
from pecia_jobs.model import PageState
from pecia_jobs.readiness import ROUNDS
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import page, page_ready, tenant
from pecia_jobs.sharing import shared
from pecia_jobs.taking import LEASED, ORDER, TOLD

_FIRST = (
    select(page_ready)
    .where(page_ready.c.tenant == bindparam("t"))
    .order_by(*ORDER)
    .limit(bindparam("most", type_=Integer))
)
_OFF = delete(page_ready).where(page_ready.c.page_id.in_(bindparam("ids", expanding=True)))
_LEASE = (
    update(page)
    .where(page.c.id.in_(bindparam("ids", expanding=True)), page.c.state == PageState.READY)
    .values(LEASED)
    .returning(*TOLD, page.c.id)
)
_COUNT = (
    update(tenant)
    .where(tenant.c.id == bindparam("t"))
    .values(
        running=tenant.c.running + bindparam("pages"),
        **{
            column.name: case((column < bindparam(f"r{order}"), bindparam(f"r{order}")), else_=column)
            for order, column in enumerate(ROUNDS)
        },
    )
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants how many pages, for how long; `unset` = pages at once of tenants without a limit."""

    worker: str
    n: int
    lease_s: float
    unset: int


async def claimed(database: Database, claim: Claim) -> Sequence[AnyRow] | None:
    """At most as many pages as wanted, leased: their job_id, tenant, number, token, attempts and job_state.

    None = nobody has any that may run; nothing in it = others were quicker.
    """
    share = await database.reading(partial(shared, n=claim.n, unset=claim.unset))
    if not share:
        return None
    values = {"by": claim.worker, "lease_s": claim.lease_s, "unset": claim.unset, "most": claim.n}
    if database.sqlite:
        rows = await database.changing(partial(_step_by_step, values=values))
    else:
        rows = await database.at_once(partial(taking.take, share=share, values=values))
    if len(rows) > claim.n:
        raise RuntimeError(f"claimed {len(rows)} pages instead of {claim.n}: their leases will lapse")
    if len(rows) < sum(share.values()):
        await database.changing(partial(_rest, names=sorted(share)))
    return rows


async def _step_by_step(connection: AsyncConnection, values: Mapping[str, Any]) -> Sequence[AnyRow]:
    share = await shared(connection, values["most"], values["unset"])
    taken: list[AnyRow] = []
    for name, pages in share.items():
        taken += await connection.execute(_FIRST, {"t": name, "most": pages})
    if not taken:
        return ()
    ids = {row.page_id: row for row in sorted(taken, key=lambda row: (row.priority, row.rank, row.number))}
    await connection.execute(_OFF, {"ids": list(ids)})
    asked = {"ids": list(ids), "by": values["by"], "lease_s": values["lease_s"]}
    leased = {row.id: row for row in await connection.execute(_LEASE, asked)}
    await connection.execute(_COUNT, [_sums(name, [ids[found] for found in leased]) for name in share])
    return [leased[found] for found in ids if found in leased]


def _sums(name: str, leased: Sequence[AnyRow]) -> dict[str, object]:
    mine = [row for row in leased if row.tenant == name]
    rounds = {
        f"r{order}": max((row.rank for row in mine if row.priority == order), default=0)
        for order in range(len(ROUNDS))
    }
    return {"t": name, "pages": len(mine), **rounds}


async def _rest(connection: AsyncConnection, names: Sequence[str]) -> None:
    """Tenants that had too few pages have none to do, unless some came meanwhile.

    They are held first and looked at afterwards: whoever brings pages holds them too, and is seen.
    """
    held = select(tenant.c.id).where(tenant.c.id.in_(names)).order_by(tenant.c.id)
    await connection.execute(held.with_for_update(key_share=True))
    queued = exists().where(page_ready.c.tenant == tenant.c.id)
    await connection.execute(update(tenant).where(tenant.c.id.in_(names)).values(active=queued))
