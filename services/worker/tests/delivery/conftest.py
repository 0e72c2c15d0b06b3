"""Receivers that do what a test says, and outboxes in both databases with something in them."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pecia_fetch import Poster
from pecia_jobs.database import Database
from pecia_jobs.model import Job, NewJob
from pecia_jobs.outbox import Outbox
from pecia_jobs.schema import outbox
from pecia_jobs.settings import WebhookSettings
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, postgres, sqlite_url
from pecia_jobs.webhooks import Signer
from pecia_worker.delivery import DeliveryMetrics, Dispatcher, Send, WebhookSender
from prometheus_client import CollectorRegistry
from sqlalchemy import select, update

KEY = "k" * 32
OK = "200 OK"


@dataclass(frozen=True)
class Got:
    """One message as it arrived; header names are in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server, and what it got.

    `script` has the answers by path: a status line, with headers after semicolons; None = never answers.
    They are used up one by one, and the last one is repeated.
    """

    url: str = ""
    got: list[Got] = field(default_factory=list)
    script: dict[str, list[str | None]] = field(default_factory=lambda: defaultdict(lambda: [OK]))
    open: int = 0
    most_open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one message."""
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            got = await _read(reader)
            self.got.append(got)
            answers = self.script[got.path]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if answer is None:
                await reader.read()  # until the other side gives up
            else:
                head = [f"HTTP/1.1 {answer.split(';')[0]}", *answer.split(";")[1:], "Content-Length: 0"]
                writer.write("\r\n".join([*head, "", ""]).encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Got:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Got(first.split()[1], headers, await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """One that says 200 to everything until a test says otherwise."""
    async with receiving() as running:
        yield running


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests here."""
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
    """With our tables."""
    made = Database(database_url)
    await made.migrate()
    yield made
    await made.close()


def settings(**changes: Any) -> WebhookSettings:
    """Receivers on this machine are allowed."""
    ours: dict[str, Any] = {
        "allow_http": True,
        "allowed_private_hosts": ("127.0.0.1/32",),
        "signing_keys": (KEY,),
        "timeout_s": 5.0,
        "poll_s": 0.05,
    }
    return WebhookSettings(**(ours | changes))


async def ended(database: Database, number: int, url: str, tenant: str = "acme") -> Job:
    """A job that has just ended, so that its webhook is due."""
    store = Store(database)
    new = NewJob(
        id=f"scan_20260101_000000_{number:08x}",
        tenant=tenant,
        filename="scan.pdf",
        media_type="application/pdf",
        input_key=f"{tenant}/scan/input.pdf",
        input_sha256="0" * 64,
        input_bytes=1000,
        page_numbers=(1,),
        document_pages=1,
        webhook_url=url,
    )
    await store.create(new)
    return await store.cancel(tenant, new.id)


async def hurry(database: Database) -> None:
    """Let whatever waits for its next try, or for the end of a lease, be due now."""
    async with database.write() as connection:
        await connection.execute(update(outbox).where(outbox.c.due.is_not(None)).values(due=0.0))


@asynccontextmanager
async def dispatching(
    box: Outbox, ways: dict[str, Send] | None = None, poster: Poster | None = None, **changes: Any
) -> AsyncIterator[CollectorRegistry]:
    """A dispatcher at work; gives its metrics."""
    chosen, registry, stop = settings(**changes), CollectorRegistry(), asyncio.Event()
    sender = WebhookSender(Signer(chosen.signing_keys), poster or Poster(chosen))
    metrics = DeliveryMetrics(registry)
    dispatcher = Dispatcher(box, ways or {"webhook": sender.send}, chosen, metrics, "w1")
    running = asyncio.create_task(dispatcher.run(stop))
    try:
        yield registry
    finally:
        stop.set()
        await running


async def until(database: Database, job: Job, status: str, within_s: float = 20.0) -> Any:
    """The delivery of a job, once it has this status."""
    async with asyncio.timeout(within_s):
        while True:
            (record,) = await Outbox(database).deliveries(job.tenant, job.id)
            if record.status == status:
                return record
            await asyncio.sleep(0.02)


async def tried(database: Database, job: Job, attempts: int, within_s: float = 20.0) -> Any:
    """The delivery of a job, once so many tries have failed."""
    ended_tries = select(outbox.c.attempts).where(outbox.c.job_id == job.id, outbox.c.lease_token.is_(None))
    async with asyncio.timeout(within_s):
        while True:
            async with database.read() as connection:
                made = (await connection.execute(ended_tries)).scalar()
            if made is not None and made >= attempts:
                (record,) = await Outbox(database).deliveries(job.tenant, job.id)
                return record
            await asyncio.sleep(0.02)
