"""Both databases: every test that asks for `database` runs on each."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import NewJob
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, postgres, sqlite_url

TEMPLATE = "pecia_template"


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of this run."""
    try:
        with postgres() as running:
            yield running
    except NoPostgres as missing:
        if os.environ.get("CI"):  # noqa: TID251 - where nothing may be left out
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: PostgresServer = request.getfixturevalue("server")
    return await server.new_database()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with our tables."""
    made = Database(database_url)
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
def store(database: Database) -> Store:
    """Over that database."""
    return Store(database)


@pytest.fixture
def leases(database: Database) -> Leases:
    """Over that database; they lapse after two seconds."""
    return Leases(database, lease_s=2.0, max_attempts=3)


@pytest.fixture
def new_job() -> Callable[..., NewJob]:
    """Jobs by number: `new_job(1, pages=3, tenant="a")`."""
    return make_job


def make_job(number: int, pages: int = 1, **other: object) -> NewJob:
    """A job to be made."""
    values: dict[str, object] = {
        "id": f"scan.pdf_20260101_000000_{number:08x}",
        "tenant": "anna",
        "filename": "scan.pdf",
        "media_type": "application/pdf",
        "input_key": "anna/scan/input.pdf",
        "input_sha256": "0" * 64,
        "input_bytes": 1000,
        "page_numbers": tuple(range(1, pages + 1)),
        "document_pages": pages,
        "idempotency_digest": f"digest-{number}",
    }
    return NewJob(**(values | other))  # type: ignore[arg-type]
