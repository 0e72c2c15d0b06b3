"""What KEDA asks PostgreSQL is true of the tables as they are."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, postgres, result_of, sample_job
from pecia_operator.desired.scaling import PAGES_QUERY

from tests.chart.rendering import rendered


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL."""
    try:
        with postgres() as running:
            yield running
    except NoPostgres as missing:
        pytest.skip(str(missing))


def query() -> str:
    """Of the trigger, the same for workers and engines."""
    asked = {one["spec"]["triggers"][0]["metadata"]["query"] for one in rendered("eks").of("ScaledObject")}
    (only,) = asked
    return str(only)


def test_the_operator_asks_the_same() -> None:
    """Models that it scales, and engines and workers that the chart does, see one number."""
    assert query() == PAGES_QUERY


async def test_pages_count_while_they_wait_and_while_they_are_read(server: PostgresServer) -> None:
    """Three wait: 3. Two of them are read: still 3. Those are done: 1. KEDA has no search path of ours."""
    url = await server.new_database()
    database = Database(url)
    await database.migrate()
    store, leases = Store(database), Leases(database, lease_s=60.0, max_attempts=3)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    counted = [await connection.fetchval(query())]
    await store.create(sample_job(pages=3))
    counted.append(await connection.fetchval(query()))
    taken = await leases.claim("worker", 2)
    counted.append(await connection.fetchval(query()))
    await leases.record([result_of(lease) for lease in taken])
    counted.append(await connection.fetchval(query()))
    await asyncio.gather(connection.close(), database.close())
    assert counted == [0, 3, 3, 1]
