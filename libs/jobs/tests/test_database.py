"""The database itself: its tables, several processes at once, and what happens while it is away."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pecia_core.errors import Unavailable
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState, PageState
from pecia_jobs.schema import metadata
from pecia_jobs.store import Store
from pecia_jobs.testing import audit, result_of, sample_job, sqlite_url
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"version_table": "pecia_jobs_version"})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_the_tables(empty_url: str) -> None:
    """All of them, as the code knows them; several processes may start at once."""
    started = [Database(empty_url) for _ in range(4)]
    await asyncio.gather(*(each.migrate() for each in started))
    await started[0].migrate()
    async with started[0].write() as connection:
        assert await connection.run_sync(_differences) == []
    for each in started:
        await each.close()


async def test_the_clock_is_the_databases(database: Database) -> None:
    """Seconds since 1970, with fractions."""
    async with database.read() as connection:
        times = [(await connection.execute(database.now.select())).scalar_one() for _ in range(2)]
    assert 1.7e9 < times[0] <= times[1] < 1e10
    assert times[0] % 1


async def test_postgres_is_told_to_end_idle_transactions(database: Database) -> None:
    """One that sleeps would keep the queue from being cleaned, for which it has settings of its own."""
    if database.sqlite:
        async with database.write() as connection:
            mode = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
            sync = (await connection.execute(text("PRAGMA synchronous"))).scalar_one()
        assert (mode, sync) == ("wal", 2)
        return
    async with database.read() as connection:
        shown = await connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert shown.scalar_one() == "30s"
        options = "SELECT reloptions::text FROM pg_class WHERE relname = 'page_ready'"
        assert "autovacuum_vacuum_threshold" in (await connection.execute(text(options))).scalar_one()


async def test_a_database_that_stays_away_is_told(tmp_path: Path) -> None:
    """After the patience that was set, with what to do; addresses and words of the query are not told."""
    for url in ("postgresql://anna:geheim@127.0.0.1:1/x", sqlite_url(tmp_path / "none" / "deeper")):
        away = Database(url, patience_s=0.2)
        (tmp_path / "none" / "deeper").mkdir(parents=True, exist_ok=True)
        (tmp_path / "none" / "deeper" / "jobs.sqlite3").mkdir(exist_ok=True)
        with pytest.raises(Unavailable) as refused:
            await away.migrate()
        assert refused.value.code == "store_unavailable"
        assert "geheim" not in str(refused.value)
        await away.close()


class Ambiguous(Database):
    """Commits, and then the connection is lost before anybody hears of it."""

    lost = 0

    @asynccontextmanager
    async def transaction(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        """The first time."""
        async with super().transaction(write=write) as connection:
            yield connection
        if write and self.lost:
            self.lost -= 1
            raise ConnectionResetError("lost during COMMIT")


async def test_a_commit_nobody_heard_of(database_url: str) -> None:
    """Everything is asked again, and counted once: making, recording, failing, giving back, ending."""
    database = Ambiguous(database_url)
    store, leases = Store(database), Leases(database)

    async def twice() -> None:
        assert not database.lost
        database.lost = 1

    await twice()
    job, made = await store.create(sample_job(pages=3, webhook_url="https://x.test/"))
    assert made
    first, second, third = await leases.claim("w1", 3)
    await twice()
    assert await leases.record([result_of(first)]) == {first.token}
    await twice()
    assert await leases.fail(second, "invalid_image", "Bad.", permanent=True) is PageState.FAILED
    await twice()
    await leases.release([third.token])
    (third,) = await leases.claim("w1", 1)
    assert third.attempt == 1
    await leases.record([result_of(third)])
    (whole,) = await leases.claim("w1", 1)
    await twice()
    assert await leases.finish(whole, JobState.DONE)
    ended = await store.job("anna", job.id)
    assert (ended.state, ended.pages_done, ended.pages_failed) == (JobState.PARTIAL, 2, 1)
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 1
    assert await audit(database) == []
    await database.close()


_OTHER = """
import asyncio, sys
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.testing import result_of

async def work():
    leases = Leases(Database(sys.argv[1]))
    taken = 0
    while claimed := await leases.claim(sys.argv[2], 3):
        pages = [lease for lease in claimed if lease.number]
        taken += len(await leases.record([result_of(lease) for lease in pages]))
    print(taken)

asyncio.run(work())
"""


async def test_two_processes_share_one_file(tmp_path: Path) -> None:
    """Two workers and a reader: nothing is done twice, and nobody is told that the file is locked."""
    url = sqlite_url(tmp_path)
    database = Database(url)
    await database.migrate()
    store = Store(database)
    for number in range(3):
        await store.create(sample_job(number, pages=8))
    command = [sys.executable, "-c", _OTHER, url]
    workers = [
        await asyncio.create_subprocess_exec(*command, f"w{number}", stdout=asyncio.subprocess.PIPE)
        for number in range(2)
    ]
    answers = asyncio.gather(*(worker.communicate() for worker in workers))
    while not answers.done():
        await store.jobs("anna")
        await asyncio.sleep(0.02)
    assert sum(int(out) for out, _ in await answers) == 24
    assert await audit(database) == []
    await database.close()


async def test_a_file_that_is_held_is_waited_for(tmp_path: Path) -> None:
    """Another program may hold the file for a while."""
    database = Database(sqlite_url(tmp_path))
    await database.migrate()
    other = sqlite3.connect(tmp_path / "jobs.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    making = asyncio.create_task(Store(database).create(sample_job()))
    await asyncio.sleep(0.3)
    assert not making.done()
    other.execute("COMMIT")
    other.close()
    assert (await making)[1]
    await database.close()


async def test_addresses_as_others_write_them(tmp_path: Path) -> None:
    """The scheme may do without our driver's name, and `sslmode` is understood."""
    database = Database(f"sqlite:///{tmp_path}/folder/file.sqlite3")
    await database.migrate()
    assert (tmp_path / "folder" / "file.sqlite3").exists()
    await database.close()
    remote = Database("postgres://u:p@db.test/x?sslmode=require&channel_binding=require")
    assert str(remote._writer.url) == "postgresql+asyncpg://u:***@db.test/x?ssl=require"
    assert not remote.sqlite
