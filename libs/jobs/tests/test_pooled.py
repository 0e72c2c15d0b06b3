"""Through a real PgBouncer in transaction mode, where the next statement may meet another connection."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from pecia_core.errors import Unavailable
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState
from pecia_jobs.store import Store
from pecia_jobs.testing import PostgresServer, audit, result_of, sample_job
from pecia_jobs.testing.pooler import NoPgBouncer, pgbouncer
from sqlalchemy import text

# Far fewer than clients: connections go from hand to hand all the time.
_CONNECTIONS = 3
_WORKERS = 8


@pytest.fixture(scope="module")
def pooler(server: PostgresServer) -> Iterator[str]:
    """What follows the database in a URL that leads through it."""
    try:
        with pgbouncer(server, connections=_CONNECTIONS) as place:
            yield place
    except NoPgBouncer as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
async def direct(server: PostgresServer) -> str:
    """An empty database."""
    return await server.new_database()


@pytest.fixture
def through(direct: str, pooler: str) -> str:
    """The same, through the pooler."""
    return direct.partition("?")[0] + pooler


@pytest.fixture
async def pooled(through: str, direct: str) -> AsyncIterator[Database]:
    """Our tables in it, and everything in them fitting together at the end."""
    database, looking = Database(through, pooled=True), Database(direct)
    await database.migrate()
    yield database
    await database.close()
    assert await audit(looking) == []
    await looking.close()


async def test_without_the_setting_it_is_refused(through: str) -> None:
    """PgBouncer takes no settings with a connection: that is why there is one of ours."""
    database = Database(through, patience_s=0.5)
    with pytest.raises(Unavailable):
        await database.migrate()
    await database.close()


async def test_jobs_are_read_by_many_over_few_connections(pooled: Database, through: str) -> None:
    """Eight workers with five connections each, over three: every page once, and none recorded twice."""
    store = Store(pooled)
    jobs = [
        (await store.create(sample_job(number, 25, tenant=tenant)))[0]
        for number, tenant in enumerate(("anna", "budi", "citra"))
    ]
    databases = [Database(through, pooled=True) for _ in range(_WORKERS)]
    recorded: list[str] = []

    async def work(number: int) -> None:
        leases = Leases(databases[number], lease_s=60.0, max_attempts=3)
        while taken := await leases.claim(f"w{number}", 3):
            whole = [lease for lease in taken if lease.number == 0]
            for lease in whole:
                assert await leases.finish(lease, JobState.DONE)
            recorded.extend(await leases.record([result_of(one) for one in taken if one.number]))

    for _ in range(3):  # the task that puts a job together comes when the last of its pages is recorded
        await asyncio.gather(*(work(number) for number in range(_WORKERS)))
    assert len(recorded) == len(set(recorded)) == 75
    for job in jobs:
        assert (await store.job(job.tenant, job.id)).state is JobState.DONE
    await asyncio.gather(*(database.close() for database in databases))


async def test_settings_hold_for_each_transaction_and_no_longer(
    pooled: Database, server: PostgresServer, pooler: str
) -> None:
    """Where a client of somebody else comes next, the connection is as the server made it."""

    async def asked(name: str) -> str:
        async with pooled.read() as connection:
            return str((await connection.execute(text(f"SHOW {name}"))).scalar())

    assert await asked("search_path") == "pecia,public"
    assert await asked("statement_timeout") == "1min"
    assert await asked("idle_in_transaction_session_timeout") == "30s"
    assert await asked("plan_cache_mode") == "force_custom_plan"
    host, _, port = pooler.removeprefix("?host=").partition("&port=")
    for _ in range(2 * _CONNECTIONS):
        other = await asyncpg.connect(
            host=host, port=int(port), user="pecia", database="postgres", statement_cache_size=0
        )
        assert await other.fetchval("SELECT current_setting('search_path')") == '"$user", public'
        await other.close()


async def test_the_room_of_deleted_rows_is_given_up(pooled: Database) -> None:
    """VACUUM runs in no transaction, through the pooler too."""
    store = Store(pooled)
    job, _ = await store.create(sample_job(pages=2))
    await store.cancel(job.tenant, job.id)
    await store.forget(job.tenant, job.id)
    await pooled.compact()


async def test_several_bring_the_tables_up_to_date_at_once(through: str) -> None:
    """The lock is one of the transaction: it works where sessions change hands."""
    databases = [Database(through, pooled=True) for _ in range(4)]
    await asyncio.gather(*(database.migrate() for database in databases))
    await asyncio.gather(*(database.close() for database in databases))
