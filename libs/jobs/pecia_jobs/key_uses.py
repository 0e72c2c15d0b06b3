"""When API keys were used last, as all gateways together know it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.database import Database
from pecia_jobs.schema import key_use


class KeyUses:
    """A moment a key: seconds since 1970 by the clocks of the gateways."""

    def __init__(self, database: Database) -> None:
        """Over a migrated database."""
        self._database = database

    async def add(self, used: Mapping[str, float]) -> None:
        """Key id -> when it was used; an older moment than the known one changes nothing.

        Raises:
            Unavailable: the database is away.
        """
        rows = [{"id": name, "used": moment} for name, moment in sorted(used.items())]
        await self._database.changing(lambda connection: _add(connection, rows))

    async def all(self) -> Mapping[str, float]:
        """Of every key that was ever used. Raises as `add` does."""
        return await self._database.reading(_all)


async def _add(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    if connection.dialect.name == "sqlite":
        lite = sqlite.insert(key_use)
        later: dict[str, Any] = {"used": func.max(key_use.c.used, lite.excluded.used)}
        await connection.execute(lite.on_conflict_do_update(index_elements=["id"], set_=later), rows)
        return
    full = postgresql.insert(key_use)
    later = {"used": func.greatest(key_use.c.used, full.excluded.used)}
    await connection.execute(full.on_conflict_do_update(index_elements=["id"], set_=later), rows)


async def _all(connection: AsyncConnection) -> dict[str, float]:
    return {row.id: row.used for row in await connection.execute(select(key_use))}
