"""All data of a tenant, deleted: nothing of it is left in rows, files or buckets; nothing of others goes."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer
from pecia_core.tenants import tenant_slug
from pecia_jobs.blobs import Blobs, open_blobs, result_key
from pecia_jobs.database import Database
from pecia_jobs.erasure import Erasure, Holdings
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, JobState
from pecia_jobs.reviews import Reviews
from pecia_jobs.settings import BlobSettings
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job
from pydantic import SecretStr
from sqlalchemy import text

GONE, STAYS = "vanishing-corp", "berta"
TEXT = b"The confidential words of a page"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks as S3 does, with a bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/jobs").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def blobs(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A folder beside SQLite, a bucket beside PostgreSQL."""
    if kind == "sqlite":
        return open_blobs(BlobSettings(url=str(tmp_path / "blobs")))
    settings = BlobSettings(
        url=f"s3://jobs/{tmp_path.name}",
        endpoint=request.getfixturevalue("s3"),
        region="us-east-1",
        access_key_id="test",
        secret_access_key=SecretStr("test"),
    )
    return open_blobs(settings)


class Tenant:
    """Fills database and blobs as a life of jobs does."""

    def __init__(self, name: str, database: Database, blobs: Blobs) -> None:
        self.name = name
        self.store, self.leases = Store(database), Leases(database, lease_s=60.0)
        self.reviews, self.blobs = Reviews(database), blobs

    async def live(self, first: int) -> None:
        """One job read and reviewed, one that failed, one half read, one that waits for its hour."""
        for number in range(first, first + 2):
            await self._make(number, webhook_url="https://hooks.example/x")
            await self._finish(number - first)
        job = (await self.store.jobs(self.name))[0][0]
        await self.reviews.ask(job, 41.5, {"note": f"of {self.name}"})
        await self._make(first + 2, pages=3, idempotency_key=f"key of {self.name}")
        for lease in await self.leases.claim("worker", 1):
            await self._read(lease)
        await self._make(first + 3, not_before=4e9)
        await self.store.set_tenant(self.name, max_running=3)

    async def _make(self, number: int, **fields: object) -> None:
        fields = {"filename": f"contract of {self.name}.pdf", "reference": f"doc {self.name}", **fields}
        job = sample_job(number, tenant=self.name, **{"pages": 1, **fields})  # type: ignore[arg-type] # names of fields
        await self.blobs.put(job.input_key, TEXT)
        await self.store.create(job)

    async def _read(self, lease: object) -> None:
        result = result_of(lease)  # type: ignore[arg-type] # a lease
        await self.blobs.put(result.result_key, TEXT)
        await self.leases.record([result])

    async def _finish(self, ending: int) -> None:
        for _ in range(4):
            for lease in await self.leases.claim("worker", 8):
                if lease.number == ASSEMBLY:
                    await self.blobs.put(result_key(self.name, lease.job_id, "result.md"), TEXT)
                    await self.leases.finish(lease, JobState.DONE)
                elif ending:
                    await self.leases.fail(lease, "invalid_image", f"of {self.name}", permanent=True)
                else:
                    await self._read(lease)


async def traces(database: Database, blobs: Blobs, word: str, folder: Path) -> list[str]:
    """Where a word still stands: each row of each table, each file's bytes, each blob's name and content."""
    found = []
    if database.sqlite:
        files = [path for path in folder.glob("jobs.sqlite3*") if word.encode() in path.read_bytes()]
        found += [path.name for path in files]
    async with database.read() as connection:
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        if not database.sqlite:
            names = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()"
        for (name,) in (await connection.execute(text(names))).all():
            rows = (await connection.execute(text(f"SELECT * FROM {name}"))).all()  # noqa: S608 - a table's own name
            said = [
                bytes(v) if isinstance(v, memoryview | bytes) else str(v).encode()
                for row in rows
                for v in row
            ]
            found += [f"table {name}"] if any(word.encode() in value for value in said) else []
    async for blob in blobs.list():
        if word in blob.key or word.encode() in await blobs.get(blob.key):
            found.append(blob.key)
    return found


async def test_nothing_is_left_of_a_tenant_and_all_of_the_others(
    database: Database, blobs: Blobs, tmp_path: Path
) -> None:
    """Jobs in every state, pages, messages, reviews, documents and results; asked again it is done."""
    for number, name in enumerate((STAYS, GONE)):
        await Tenant(name, database, blobs).live(10 * number)
    erasure = Erasure(database, blobs)
    had, others = await erasure.holdings(GONE), await erasure.holdings(STAYS)
    assert (had.jobs, had.reviews, had.settings) == (4, 1, 1)
    assert had.pages >= 6
    assert min(had.deliveries, had.blobs, had.blob_bytes) > 1
    assert await traces(database, blobs, GONE, tmp_path)

    await erasure.erase(GONE)

    assert await erasure.holdings(GONE) == Holdings()
    for word in (GONE, tenant_slug(GONE)):
        assert await traces(database, blobs, word, tmp_path) == []
    assert await erasure.holdings(STAYS) == others
    assert await traces(database, blobs, STAYS, tmp_path)
    await erasure.erase(GONE)
    assert await erasure.holdings(GONE) == Holdings()


async def test_a_worker_that_is_amid_a_page_is_looked_after(
    database: Database, blobs: Blobs, leases: Leases
) -> None:
    """What he writes late lies in a folder that is remembered, and the receipt says so."""
    tenant = Tenant(GONE, database, blobs)
    await tenant._make(1, pages=2)
    (lease, _) = await leases.claim("worker", 2)
    erasure = Erasure(database, blobs)
    await erasure.erase(GONE)
    assert await erasure.holdings(GONE) == Holdings(sweeping=1)
    late = result_of(lease)
    await blobs.put(late.result_key, TEXT)
    assert await leases.record([late]) == set()
    assert await erasure.holdings(GONE) == Holdings(sweeping=1, blobs=1, blob_bytes=len(TEXT))
    await erasure.erase(GONE)
    assert (await erasure.holdings(GONE)).blobs == 0


async def test_a_tenant_that_never_was_has_nothing(database: Database, blobs: Blobs) -> None:
    """Deleting it is no error."""
    erasure = Erasure(database, blobs)
    await erasure.erase("nobody")
    assert await erasure.holdings("nobody") == Holdings()


async def test_a_name_like_anothers_takes_nothing_of_it(database: Database, blobs: Blobs) -> None:
    """Neither another case nor a longer name, nor what SQL or file systems make of odd letters."""
    await Tenant("berta", database, blobs).live(0)
    erasure = Erasure(database, blobs)
    before = await erasure.holdings("berta")
    for name in ("Berta", "bert", "berta-", "bert_", "b%", "be.ta", "*"):
        await erasure.erase(name)
    assert await erasure.holdings("berta") == before
