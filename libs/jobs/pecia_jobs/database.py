"""The way to the database, PostgreSQL or SQLite: transactions, and patience while it is away."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from pecia_core.errors import Unavailable
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pecia_jobs import migrations
from pecia_jobs.expressions import Now
from pecia_jobs.schema import metadata
from pecia_jobs.settings import DatabaseSettings
from pecia_jobs.trouble import passes

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
_log = logging.getLogger(__name__)
# Seconds between tries, doubled from the first to the last, less up to half by chance.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.02, 2.0
_BUSY_TIMEOUT_MS = 30_000
# Seconds to connect, and for one statement, after which the server itself has long given up.
_PATIENCE = {"timeout": 10, "command_timeout": 90}
_MIGRATION_LOCK = 0x7065636961  # "pecia"; nobody else's advisory lock
# Beside the tables of whoever shares the database.
_SCHEMA = "pecia"
_NAME = {"application_name": "pecia"}
_POSTGRES = {
    "search_path": f"{_SCHEMA},public",
    # A transaction that sleeps keeps the queue from being cleaned; no transaction of ours ever does.
    "idle_in_transaction_session_timeout": "30000",
    "statement_timeout": "60000",
    # The queue grows from nothing to a million rows while connections live: a plan made once is wrong later.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
# The same for one transaction, which is all that PgBouncer lets a client have of a connection.
_SET_LOCALLY = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in _POSTGRES.items()
)


class Database:
    """Transactions on one database. Every method of the stores is one transaction, repeated when it fails."""

    now = Now()

    def __init__(
        self, url: str, *, pool_size: int = 5, patience_s: float = 30.0, pooled: bool = False
    ) -> None:
        """Connect later, when something is asked.

        Args:
            url: `sqlite:///PATH` or `postgresql://...`, with or without the names of our drivers.
            pool_size: connections at most; SQLite has one for writing beside them.
            patience_s: seconds a database may be away before callers are told.
            pooled: whether PgBouncer stands before it and hands out connections by the transaction.
        """
        address = _address(url)
        self.sqlite = address.get_backend_name() == "sqlite"
        self._patience_s = patience_s
        if self.sqlite:
            Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
            self._writer = _sqlite_engine(address, "IMMEDIATE", pool_size=1)
            self._reader = _sqlite_engine(address, "DEFERRED", pool_size=pool_size)
        else:
            self._writer = (_pooled_engine if pooled else _postgres_engine)(address, pool_size)
            # Each statement is a transaction of its own: two round trips less. Where connections change
            # hands, a statement and its settings, and even its two halves, keep together by BEGIN alone.
            alone = self._writer.execution_options(isolation_level="AUTOCOMMIT")
            self._reader = self._writer if pooled else alone

    def transaction(self, *, write: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        """One try of one transaction, committed at the end. Everything goes through here.

        Without `write`, every statement is committed by itself on PostgreSQL (but for PgBouncer's), and none
        may change anything on SQLite.
        """
        return (self._writer if write else self._reader).begin()

    async def changing(self, work: Work[T]) -> T:
        """Run `work` in a transaction, again where it could not be committed.

        It may have been committed although nobody heard of it: what `work` does must bear repeating.

        Raises:
            Unavailable: the database stayed away.
        """
        return await self._patiently(lambda: self._once(work, write=True))

    async def at_once(self, work: Work[T]) -> T:
        """Run `work`, one statement that changes something: it needs no BEGIN and COMMIT around it.

        Raises:
            Unavailable: the database stayed away.
        """
        return await self._patiently(lambda: self._once(work, write=self.sqlite))

    async def reading(self, work: Work[T]) -> T:
        """Run `work`, which only reads. Its statements may see different moments.

        Raises:
            Unavailable: the database stayed away.
        """
        return await self._patiently(lambda: self._once(work, write=False))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for changes, which is waited for but not repeated."""
        async with AsyncExitStack() as stack:
            yield await self._patiently(lambda: stack.enter_async_context(self.transaction(write=True)))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading, which is waited for but not repeated."""
        async with AsyncExitStack() as stack:
            yield await self._patiently(lambda: stack.enter_async_context(self.transaction(write=False)))

    async def migrate(self) -> None:
        """Bring the tables up to date. Several processes may do it at once: one does, the others wait."""
        await self.changing(self._migrated)

    @property
    def folder(self) -> Path | None:
        """Where the SQLite file lies, which everybody shares; None = somewhere behind a server."""
        file = self._writer.url.database if self.sqlite else None
        return Path(file).parent if file and file != ":memory:" else None

    async def compact(self) -> None:
        """Give up the room of deleted rows, and overwrite it where that can be asked for.

        SQLite writes its file anew: nothing deleted is left in it. PostgreSQL frees the room, which is
        overwritten by and by; its logs and backups are its operator's.

        Raises:
            Unavailable: the database stayed away.
        """
        await self._patiently(self._compacted)

    async def _compacted(self) -> None:
        if not self.sqlite:
            tables = ", ".join(f"{_SCHEMA}.{name}" for name in metadata.tables)
            async with self._writer.connect() as connection:
                # By the driver itself: one message, in no transaction.
                postgres: Any = (await connection.get_raw_connection()).driver_connection
                await postgres.execute(f"VACUUM {tables}")
            return
        async with self._writer.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                await (await driver.execute(statement)).close()

    async def close(self) -> None:
        """Hang up."""
        await self._writer.dispose()
        await self._reader.dispose()

    async def _migrated(self, connection: AsyncConnection) -> None:
        if not self.sqlite:  # on SQLite the transaction itself is the lock
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            there = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
            if (await connection.execute(there, {"name": _SCHEMA})).first() is None:
                await connection.execute(text(f"CREATE SCHEMA {_SCHEMA}"))
        await connection.run_sync(migrations.upgrade)

    async def _once(self, work: Work[T], *, write: bool) -> T:
        async with self.transaction(write=write) as connection:
            return await work(connection)

    async def _patiently(self, operation: Callable[[], Awaitable[T]]) -> T:
        give_up = time.monotonic() + self._patience_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await operation()
            except Exception as error:
                if not passes(error):
                    raise
                if time.monotonic() + pause > give_up:
                    raise Unavailable(
                        "The job database does not answer. Try again in a minute; its operator finds the "
                        "reason in the service's log.",
                        code="store_unavailable",
                        retry_after=60.0,
                    ) from error
                _log.warning("the job database is away", extra={"reason": type(error).__name__})
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
            pause = min(2 * pause, _LAST_PAUSE_S)


def open_database(settings: DatabaseSettings) -> Database:
    """The database the settings name. Nothing is asked of it yet."""
    return Database(
        settings.place,
        pool_size=settings.pool_size,
        patience_s=settings.patience_s,
        pooled=settings.pooled,
    )


def _address(url: str) -> URL:
    """With our drivers, whatever other programs call them; `sslmode` as asyncpg wants it."""
    scheme, _, rest = url.partition("://")
    driver = {
        "sqlite": "sqlite+aiosqlite",
        "postgres": "postgresql+asyncpg",
        "postgresql": "postgresql+asyncpg",
    }
    address = make_url(f"{driver.get(scheme, scheme)}://{rest}")
    if "sslmode" in address.query:
        address = address.update_query_dict({"ssl": address.query["sslmode"]})
    return address.difference_update_query(["sslmode", "channel_binding"])


def _engine(url: URL, pool_size: int, connect_args: dict[str, Any]) -> AsyncEngine:
    """So many connections and no more; who finds none free waits as long as for a lock."""
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_BUSY_TIMEOUT_MS / 1000,
        connect_args=connect_args,
    )


def _postgres_engine(url: URL, pool_size: int) -> AsyncEngine:
    return _engine(url, pool_size, {"server_settings": _NAME | _POSTGRES, **_PATIENCE})


def _pooled_engine(url: URL, pool_size: int) -> AsyncEngine:
    """Through PgBouncer in transaction mode.

    It refuses settings that come with a connection. A statement that was prepared is known to one of its
    connections only, so every statement is the one without a name, made anew.
    """
    unprepared = {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": str,  # ""
    }
    engine = _engine(url, pool_size, {"server_settings": _NAME, **unprepared, **_PATIENCE})

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's listener
        connection.exec_driver_sql(_SET_LOCALLY)

    return engine


def _sqlite_engine(url: URL, begin: str, pool_size: int) -> AsyncEngine:
    engine = _engine(url, pool_size, {"timeout": _BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's listener
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine
