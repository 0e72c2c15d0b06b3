"""Which tenants are served next, and how many pages each: by what they have running, for their weight."""

import heapq
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import tenant

# Tenants one claim serves: the claims of others wait for it.
MOST_TENANTS = 4
# Pages of a tenant that may still begin; `unset` is the limit where none was set.
room = func.coalesce(tenant.c.max_running, bindparam("unset", type_=Integer)) - tenant.c.running
_waiting: Select[Any] = (
    select(tenant.c.id, tenant.c.running, tenant.c.weight, room.label("room"))
    .where(tenant.c.active, room > 0)
    .order_by(tenant.c.running / tenant.c.weight, tenant.c.id)
    .limit(bindparam("tenants", type_=Integer))
)


async def shared(connection: AsyncConnection, n: int, unset: int) -> dict[str, int]:
    """Part `n` pages among the tenants that have the least running; {} = nobody waits. Nothing is locked."""
    values = {"tenants": min(n, MOST_TENANTS), "unset": unset}
    return shares((await connection.execute(_waiting, values)).all(), n)


def shares(tenants: Sequence[AnyRow], n: int) -> dict[str, int]:
    """One by one to whoever has the least running for its weight, and no more than fit."""
    heap = [(row.running / row.weight, place, 0) for place, row in enumerate(tenants)]
    heapq.heapify(heap)
    share: dict[str, int] = {}
    while heap and n:
        _, place, given = heapq.heappop(heap)
        row = tenants[place]
        share[row.id] = given + 1
        n -= 1
        if given + 1 < row.room:
            heapq.heappush(heap, ((row.running + given + 1) / row.weight, place, given + 1))
    return share
