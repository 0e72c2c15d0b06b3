"""A real gateway on a real socket, in front of an ocr service that says what the test wrote down."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydantic_core
import pytest
import uvicorn
from fastapi import FastAPI
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import Polygon
from pecia_core.recognition import Recognition
from pecia_core.vocabulary import BlockKind, TaskType
from pecia_dispatch.testing import ScriptedOcr, serving
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from pecia_jobs.blobs import Blobs, open_blobs, page_key, result_key
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, JobState, Lease, PageResult, PageSource
from pecia_jobs.results import documents, encoded, page_result
from pecia_jobs.settings import BlobSettings
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, postgres, sqlite_url
from PIL import Image


@dataclass(frozen=True)
class Running:
    """A gateway that answers at `url`, and the ocr service behind it."""

    url: str
    client: httpx.AsyncClient
    ocr: ScriptedOcr
    app: FastAPI


@asynccontextmanager
async def running_gateway(ocr: ScriptedOcr, /, **changes: Any) -> AsyncIterator[Running]:
    """Start both; `changes` are groups of settings, as dictionaries."""
    async with serving(ocr) as target:
        without = {"jobs": {"enabled": False}}  # most tests have none
        settings = Settings(**{**without, **changes, "ocr": {"target": target, **changes.get("ocr", {})}})
        app = create_app(settings)
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serve = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
            if serve.done():
                serve.result()
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                yield Running(url, client, ocr, app)
        finally:
            server.should_exit = True
            await serve


@pytest.fixture
async def ocr() -> ScriptedOcr:
    """The ocr service; a test changes its script."""
    return ScriptedOcr()


@pytest.fixture
async def gateway(ocr: ScriptedOcr) -> AsyncIterator[Running]:
    """A gateway with its defaults."""
    async with running_gateway(ocr) as running:
        yield running


@pytest.fixture
def start() -> Any:
    """Start a gateway with other settings."""
    return running_gateway


def picture_bytes(colour: str = "white") -> bytes:
    """A small PNG."""
    buffer = BytesIO()
    Image.new("RGB", (40, 20), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def png() -> bytes:
    """A small white PNG."""
    return picture_bytes()


@pytest.fixture
def data_url(png: bytes) -> str:
    """The same as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


@pytest.fixture
def chat(data_url: str) -> Any:
    """Make a chat request about the picture, with more fields where wanted."""

    def make(*urls: str, text: str = "Free OCR.", **fields: Any) -> dict[str, Any]:
        images = [{"type": "image_url", "image_url": {"url": url}} for url in urls or (data_url,)]
        content = [{"type": "text", "text": text}, *images]
        return {"messages": [{"role": "user", "content": content}], **fields}

    return make


def pdf_bytes(pages: int = 3) -> bytes:
    """A PDF of small pages."""
    sheets = [Image.new("RGB", (60, 80), "white") for _ in range(pages)]
    buffer = BytesIO()
    sheets[0].save(buffer, "PDF", save_all=True, append_images=sheets[1:])
    return buffer.getvalue()


@pytest.fixture
def pdf() -> Callable[[int], bytes]:
    """Make a PDF of so many pages."""
    return pdf_bytes


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


@pytest.fixture
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: SQLite, unless the test asks for `postgres`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return sqlite_url(tmp_path)
    running: PostgresServer = request.getfixturevalue("server")
    return await running.new_database()


@pytest.fixture
def with_jobs(database_url: str, tmp_path: Path) -> dict[str, Any]:
    """Settings of a gateway that takes jobs."""
    return {"jobs": {}, "database": {"url": database_url}, "blobs": {"url": str(tmp_path / "blobs")}}


@asynccontextmanager
async def taking_jobs(ocr: ScriptedOcr, /, **changes: Any) -> AsyncIterator[Running]:
    """Start a gateway, and wait until its database is prepared."""
    async with running_gateway(ocr, **changes) as running:
        async with asyncio.timeout(60):
            while (await running.client.get("/live")).status_code != 200:
                await asyncio.sleep(0.02)
            while (await running.client.get("/v1/jobs")).status_code == 503:
                await asyncio.sleep(0.02)
        yield running


@pytest.fixture
def start_jobs() -> Any:
    """Start a gateway that takes jobs, with other settings."""
    return taking_jobs


@pytest.fixture
async def jobs(ocr: ScriptedOcr, with_jobs: dict[str, Any]) -> AsyncIterator[Running]:
    """A gateway that takes jobs."""
    async with taking_jobs(ocr, **with_jobs) as running:
        yield running


class TinyWorker:
    """Reads pages without an engine, through real leases on the real database and the real blobs."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        """Nothing is leased. `content` is what a vision model would have written on each page."""
        self.content = ""
        self._store = Store(database)
        self._leases = Leases(database, lease_s=30.0)
        self._blobs = blobs

    async def read(self, most: int = 100, *, failing: tuple[int, ...] = ()) -> list[int]:
        """Read at most so many pages; those of `failing` cannot be read. Gives their numbers, 0 = the end."""
        leases = await self._leases.claim("tiny", most)
        for lease in leases:
            await (
                self._end(lease) if lease.number == ASSEMBLY else self._page(lease, lease.number in failing)
            )
        return sorted(lease.number for lease in leases)

    async def finish(self, *, failing: tuple[int, ...] = ()) -> None:
        """Read until nothing is left."""
        while await self.read(failing=failing):
            pass

    async def _page(self, lease: Lease, fails: bool) -> None:
        if fails:
            await self._leases.fail(lease, "invalid_image", "It cannot be drawn.", permanent=True)
            return
        place = Polygon.of([(0, 0), (50, 0), (50, 10), (0, 10)])
        line = Line(text=f"text of page {lease.number}", polygon=place, confidence=0.9)
        page = Page(
            60,
            80,
            (Block(BlockKind.PARAGRAPH, place, (line,), content=self.content),),
            index=lease.number - 1,
        )
        read = Recognition(page, line.text, "scripted", "scripted-1")
        blob = encoded(page_result(lease, TaskType.MARKDOWN, PageSource.OCR, read))
        key = page_key(lease.tenant, lease.job_id, lease.number, lease.token)
        await self._blobs.put(key, blob)
        result = PageResult(lease, key, "0" * 64, len(blob), PageSource.OCR, "scripted", confidence=0.9)
        assert await self._leases.record([result]) == {lease.token}

    async def _end(self, lease: Lease) -> None:
        job = await self._store.job(lease.tenant, lease.job_id)
        pages = [page for page in await self._store.pages(lease.tenant, lease.job_id) if page.number]
        for name, document in documents().items():
            text = "".join(document.begin(job, pages))
            for page in pages:
                blob = await self._blobs.get(page.result_key) if page.result_key else b"null"
                text += "".join(document.page(page, pydantic_core.from_json(blob)))
            text += "".join(document.end())
            await self._blobs.put(result_key(lease.tenant, lease.job_id, name), text.encode())
        done = sum(bool(page.result_key) for page in pages)
        state = JobState.DONE if done == len(pages) else JobState.PARTIAL if done else JobState.FAILED
        error = "" if done else "No page could be read."
        assert await self._leases.finish(lease, state, error=error)


@pytest.fixture
async def worker(jobs: Running, with_jobs: dict[str, Any]) -> AsyncIterator[TinyWorker]:
    """Beside that gateway."""
    database = Database(with_jobs["database"]["url"])
    yield TinyWorker(database, open_blobs(BlobSettings(**with_jobs["blobs"])))
    await database.close()


@pytest.fixture
def new_worker() -> type[TinyWorker]:
    """Make one on a database and blobs of one's own."""
    return TinyWorker
