"""What workers stand on: both databases, a folder for blobs, and an ocr service that follows a script."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pecia_dispatch import OcrClient
from pecia_dispatch.settings import OcrSettings
from pecia_dispatch.testing import ScriptedOcr, serving
from pecia_jobs.blobs import Blobs, open_blobs
from pecia_jobs.database import Database
from pecia_jobs.settings import BlobSettings, DatabaseSettings, JobSettings, WebhookSettings
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, postgres, sqlite_url
from pecia_worker.main import World
from pecia_worker.settings import HealthSettings, HousekeepingSettings, Settings, WorkerSettings
from pecia_worker.testing import Owner


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
def blobs(tmp_path: Path) -> Blobs:
    """A folder."""
    return open_blobs(BlobSettings(url=str(tmp_path / "blobs")))


@pytest.fixture
def ocr() -> ScriptedOcr:
    """The ocr service; tests set its `play`. It answers at `target`."""
    return ScriptedOcr()


@pytest.fixture
async def target(ocr: ScriptedOcr) -> AsyncIterator[str]:
    """Where it answers."""
    async with serving(ocr) as address:
        yield address


@pytest.fixture
async def world(database: Database, blobs: Blobs, target: str) -> AsyncIterator[World]:
    """What workers of a test stand on."""
    client = OcrClient(OcrSettings(target=target, resolve_interval_s=0.2))
    yield World(database, blobs, client)
    await client.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, target: str) -> Settings:
    """Frequent looks; leases that no busy machine loses."""
    return Settings(
        worker=WorkerSettings(max_concurrency=4, idle_s=0.2, watch_s=0.1, drain_s=20.0),
        housekeeping=HousekeepingSettings(sweep_s=0.2),
        ocr=OcrSettings(target=target, resolve_interval_s=0.2),
        database=DatabaseSettings(url=database_url),
        blobs=BlobSettings(url=str(tmp_path / "blobs")),
        jobs=JobSettings(lease_s=20.0),
        webhooks=WebhookSettings(
            signing_keys=("k" * 32,), allow_http=True, allowed_private_hosts=("127.0.0.1",)
        ),
        health=HealthSettings(host="127.0.0.1", port=0),
    )


@pytest.fixture
def owner(database: Database, blobs: Blobs) -> Owner:
    """Somebody with documents."""
    return Owner(Store(database), blobs)
