"""Both databases: every test with `database` runs on each, and leaves everything fitting together."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.schema import metadata
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, audit, postgres, sqlite_url
from sqlalchemy import text


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of this run."""
    try:
        with postgres() as running:
            yield running
    except NoPostgres as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
async def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any tables."""
    if kind == "sqlite":
        return sqlite_url(tmp_path)
    server: PostgresServer = request.getfixturevalue("server")
    return await server.new_database()


@pytest.fixture
async def database_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with our tables, empty ones; on PostgreSQL the same one for all tests."""
    server: PostgresServer | None = request.getfixturevalue("server") if kind == "postgres" else None
    url = server.url() if server else sqlite_url(tmp_path)
    made = Database(url)
    await made.migrate()
    if server:
        async with made.write() as connection:
            names = ", ".join(metadata.tables)
            await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    await made.close()
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """To work with."""
    made = Database(database_url)
    yield made
    assert await audit(made) == []
    await made.close()


@pytest.fixture
def store(database: Database) -> Store:
    """Over that database."""
    return Store(database)


@pytest.fixture
def leases(database: Database) -> Leases:
    """Over that database; they lapse only where a test says so, and three attempts are enough."""
    return Leases(database, lease_s=60.0, max_attempts=3)


@pytest.fixture
def hasty(database: Database) -> Leases:
    """The same, but leases lapse as soon as they are made."""
    return Leases(database, lease_s=0.0, max_attempts=3)
