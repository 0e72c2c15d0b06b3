"""Tenants: how many of their pages are being worked on, and whether they have any to do.

A transaction changes their rows last, after jobs and pages, and in the order of their names: only a claim
takes a tenant first, and it waits for nobody afterwards.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.schema import tenant

_FREE = (
    update(tenant)
    .where(tenant.c.id == bindparam("t"))
    .values(running=tenant.c.running - bindparam("freed"), active=tenant.c.active | bindparam("woken"))
)


async def insert_if_new(connection: AsyncConnection, table: Table, values: Mapping[str, Any]) -> bool:
    """Whether the row was new: nothing happens to one that is there."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = await connection.execute(insert(table).values(**values).on_conflict_do_nothing())
    return made.rowcount == 1


async def settle(connection: AsyncConnection, freed: Mapping[str, int], woken: Iterable[str]) -> None:
    """Count leases that ended, and say who has pages to do now.

    Args:
        connection: in a transaction that has made the changes already.
        freed: tenant -> how many of its leases ended.
        woken: tenants that got rows in `page_ready`.
    """
    awake = set(woken)
    names = sorted(awake | {name for name, ended in freed.items() if ended})
    if names:
        await connection.execute(
            _FREE, [{"t": name, "freed": freed.get(name, 0), "woken": name in awake} for name in names]
        )
