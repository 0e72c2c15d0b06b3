"""A Redis, and a backend that fills it as the existing one does."""

import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store
from pecia_core.errors import PeciaError
from pecia_core.pdf import PdfRenderer
from pecia_jobs.outbox import Outbox
from pecia_jobs.retention import Limits
from pecia_jobs.reviews import Reviews
from pecia_jobs.store import Store
from pecia_jobs.testing import PostgresServer, sqlite_url
from pecia_worker.intake import IntakeMetrics, IntakeParts, Shop, build_intake
from pecia_worker.intake.link import RedisLink
from pecia_worker.intake.queue import DocumentQueue
from pecia_worker.intake.testing import CHANNEL, COUNTING, Backend, Table
from pecia_worker.intake_settings import IntakeGroups, IntakeSettings, RedisSettings
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import scanned, working
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis

BUCKET = "filot-documents"
ROOM: dict[str, Any] = {"max_bytes": 1 << 40, "max_jobs": 1000, "max_age_s": 3600.0}
DOCUMENTATION = Path(__file__).parents[4] / "docs" / "queue-intake.md"
# The kernel ends it when the tests end, however they do.
_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL") if sys.platform == "linux" else ()


@dataclass
class RedisServer:
    """The installed Redis on a port of this machine; it keeps nothing on disk."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Run it, until it answers."""
        usual = f"--bind 127.0.0.1 --port {self.port} --dir {self.folder} --appendonly no --loglevel warning"
        command = [*_WITH_PARENT, "redis-server", *usual.split(), "--save", "", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not self.answers():
            assert time.monotonic() < until, "Redis did not start"
            assert self.process.poll() is None, "Redis ended"
            time.sleep(0.02)

    def client(self) -> "Redis":
        """Somebody who asks it."""
        return Redis.from_url(self.url)

    def stop(self) -> None:
        """End it at once."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Start one, and end it."""
    server = RedisServer(folder, free_port(), options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for this test."""
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start others, with options."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(running_redis(tmp_path, *options))


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator["Redis"]:
    """Somebody who looks into it."""
    async with Redis.from_url(redis_server.url, decode_responses=True) as looking:
        yield looking


@pytest.fixture
async def open_queue(redis_server: RedisServer) -> AsyncIterator[Callable[..., DocumentQueue]]:
    """Workers' ends of the queue, with these settings of the intake."""
    opened = []

    def begin(**settings: Any) -> DocumentQueue:
        link = RedisLink(RedisSettings(url=SecretStr(redis_server.url)))
        opened.append(DocumentQueue(link, IntakeSettings(**settings)))
        return opened[-1]

    yield begin
    for queue in opened:
        await queue.close()


@pytest.fixture
async def backend(redis: "Redis") -> AsyncIterator[Backend]:
    """A backend that listens."""
    backend = Backend(redis)
    listening = asyncio.create_task(backend.listen())
    async with asyncio.timeout(60):
        while not dict(await redis.pubsub_numsub(CHANNEL))[CHANNEL]:
            await asyncio.sleep(0.01)
    yield backend
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await listening


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A server that speaks as R2 does, with the backend's bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx.put(f"{endpoint}/{BUCKET}", timeout=60).raise_for_status()
    yield endpoint
    server.stop()


@pytest.fixture
def put_file(s3: str) -> Callable[[str, bytes], Awaitable[object]]:
    """Put a file into the bucket."""
    bucket = S3Store(
        BUCKET,
        config={"endpoint": s3, "region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"},
        client_options={"allow_http": True},
    )
    return lambda key, data: obstore.put_async(bucket, key, data)


@pytest.fixture
async def receipt(put_file: Callable[[str, bytes], Awaitable[object]]) -> str:
    """A page in the bucket; its key."""
    await put_file("receipt.png", scanned(1, "PNG"))
    return "receipt.png"


@pytest.fixture
async def table(server: PostgresServer) -> "Table":
    """The backend's database, with the table as the documentation has it."""
    url = await server.new_database()
    table = Table(server, urlsplit(url).path.lstrip("/"), url)
    [made] = re.findall(r"```sql\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    for statement in [*made.split(";")[:2], *COUNTING]:
        await table.execute(statement)
    return table


@pytest.fixture
async def database_url(request: pytest.FixtureRequest, server: PostgresServer, tmp_path: Path) -> str:
    """A database for jobs, which is not the backend's; PostgreSQL unless a test says `sqlite`."""
    kind = getattr(request, "param", "postgres")
    return sqlite_url(tmp_path) if kind == "sqlite" else await server.new_database()


@pytest.fixture
def groups(redis_server: RedisServer, table: Table, s3: str) -> Callable[..., dict[str, Any]]:
    """Settings of a worker's intake; the arguments are more of the group `intake`."""

    def made(**intake: Any) -> dict[str, Any]:
        r2 = {"endpoint": s3, "bucket": BUCKET, "region": "us-east-1", "access_key_id": "test"}
        quick = {"poll_interval_ms": 100, "stuck_timeout_ms": 1500, "reaper_interval_ms": 200}
        return {
            "redis": {"url": redis_server.url},
            "intake": quick | intake,
            "originals": r2 | {"secret_access_key": "test", "retry_s": 1},
            "documents": {"url": table.url.replace("+asyncpg", "")},
        }

    return made


@dataclass
class Office:
    """A worker with an intake, and what tests look at."""

    parts: IntakeParts
    outbox: Outbox
    reviews: Reviews
    metrics: IntakeMetrics
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def open(self) -> "asyncio.Task[None]":
        """Begin; gives the intake's task."""
        self.tasks = [
            asyncio.create_task(work) for work in (self.parts.intake.run(self.stop), self.deliver())
        ]
        return self.tasks[0]

    async def deliver(self) -> None:
        """Do what the outbox says, as the worker does."""
        ways = {"publish": self.parts.finisher.send, "verdict": self.parts.finisher.decided}
        while True:
            for delivery in await self.outbox.claim("test", 4):
                if delivery.kind in ways:
                    try:
                        await ways[delivery.kind](delivery)
                    except PeciaError as error:
                        await self.outbox.failed(delivery, None, error.message, retry_after=0.1)
                    else:
                        await self.outbox.delivered(delivery)
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """End what runs."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.parts.close()


@pytest.fixture
async def office(
    groups: Callable[..., dict[str, Any]], world: World
) -> AsyncIterator[Callable[..., Awaitable[Office]]]:
    """Put an intake together; arguments are more settings by group."""
    async with AsyncExitStack() as stack:

        async def begin(**more: dict[str, Any]) -> Office:
            made = groups()
            asked = IntakeGroups(**{group: made[group] | more.get(group, {}) for group in made})
            renderer = await stack.enter_async_context(PdfRenderer())
            reviews = Reviews(world.database)
            limits = Limits(**(ROOM | more.get("within", {})))
            shop = Shop(world.database, Store(world.database), world.blobs, renderer, limits, reviews)
            counted = IntakeMetrics(CollectorRegistry())
            outbox = Outbox(world.database, lease_s=5.0)
            built = Office(build_intake(asked, shop, counted), outbox, reviews, counted)
            stack.push_async_callback(built.close)
            return built

        yield begin


@pytest.fixture
async def open_office(
    office: Callable[..., Awaitable[Office]], world: World, settings: Settings
) -> AsyncIterator[Callable[..., Awaitable[Office]]]:
    """The same, running, with a worker that reads."""
    jobs = settings.jobs.model_copy(update={"max_attempts": 2})
    async with working(settings.model_copy(update={"jobs": jobs}), world):

        async def begin(**more: dict[str, Any]) -> Office:
            opened = await office(**more)
            opened.open()
            return opened

        yield begin
