"""What KEDA asks PostgreSQL is true of the tables as they are."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
import pytest
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, postgres, result_of, sample_job
from pecia_operator.desired.scaling import PAGES_QUERY

from tests.chart.rendering import rendered

_FAR = 4_000_000_000.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL."""
    try:
        with postgres() as running:
            yield running
    except NoPostgres as missing:
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Asked:
    """Tables of jobs, and KEDA's connection to them, which has no search path of ours."""

    database: Database
    connection: "asyncpg.Connection[asyncpg.Record]"

    async def by(self, name: str) -> int:
        """The answer to the trigger of that ScaledObject."""
        return int(await self.connection.fetchval(query(name)))


@pytest.fixture
async def asked(server: PostgresServer) -> AsyncIterator[Asked]:
    """Empty tables."""
    url = await server.new_database()
    database = Database(url)
    await database.migrate()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    yield Asked(database, connection)
    await connection.close()
    await database.close()


def query(name: str) -> str:
    """Of the trigger of that ScaledObject."""
    (trigger,) = rendered("eks").one("ScaledObject", f"pecia-{name}")["spec"]["triggers"]
    return str(trigger["metadata"]["query"])


def test_the_operator_asks_the_same() -> None:
    """Models that it scales, and engines that the chart does, see one number; workers at least that."""
    assert query("ocr-burst") == PAGES_QUERY
    assert PAGES_QUERY in query("worker")


async def test_pages_count_while_they_wait_and_while_they_are_read(asked: Asked) -> None:
    """Three wait: 3. Two of them are read: still 3. Those are done: 1."""
    store, leases = Store(asked.database), Leases(asked.database, lease_s=60.0, max_attempts=3)
    names = ("ocr-burst", "worker")
    counted = [[await asked.by(name) for name in names]]
    await store.create(sample_job(pages=3))
    counted.append([await asked.by(name) for name in names])
    taken = await leases.claim("worker", 2)
    counted.append([await asked.by(name) for name in names])
    await leases.record([result_of(lease) for lease in taken])
    counted.append([await asked.by(name) for name in names])
    assert counted == [[0, 0], [3, 3], [3, 3], [1, 1]]


async def test_a_worker_wakes_for_a_job_whose_time_has_come(asked: Asked) -> None:
    """Nobody but a worker begins it: until then it has no page that waits, and is no reason to be awake."""
    await Store(asked.database).create(sample_job(not_before=_FAR))
    assert await asked.by("worker") == 0
    await asked.connection.execute("UPDATE pecia.job SET not_before = 1")
    assert (await asked.by("worker"), await asked.by("ocr-burst")) == (1, 0)


async def test_a_worker_wakes_for_a_delivery(asked: Asked) -> None:
    """One whose next try is due; not one that was delivered, nor one that waits."""
    row = "INSERT INTO pecia.outbox (id, job_id, tenant, kind, url, body, status, created, due)"
    of = "'', 'anna', 'webhook', 'https://x.test', '', 'pending', 1"
    await asked.connection.execute(f"{row} VALUES ('a', {of}, NULL), ('b', {of}, {_FAR})")
    assert await asked.by("worker") == 0
    await asked.connection.execute("UPDATE pecia.outbox SET due = 1 WHERE id = 'b'")
    assert await asked.by("worker") == 1


async def test_a_worker_wakes_for_what_has_to_go(asked: Asked) -> None:
    """A job that ended longer ago than it is kept, and blobs of one that was deleted."""
    store = Store(asked.database)
    job, _ = await store.create(sample_job())
    await store.cancel(job.tenant, job.id)
    assert await asked.by("worker") == 0
    await asked.connection.execute("UPDATE pecia.job SET finished = finished - 168 * 3600 - 1")
    assert await asked.by("worker") == 1
    await store.forget(job.tenant, job.id)
    assert await asked.by("worker") == 1
    await asked.connection.execute("UPDATE pecia.trash SET due = due + 900")
    assert await asked.by("worker") == 0
