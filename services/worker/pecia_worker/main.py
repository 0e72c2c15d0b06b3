"""The composition root: settings in, a running worker out."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from secrets import token_hex

import uvicorn
from pecia_core.pdf import PdfRenderer
from pecia_core.telemetry import show_walls
from pecia_dispatch import OcrClient
from pecia_jobs.blobs import Blobs, open_blobs
from pecia_jobs.database import Database, open_database
from pecia_jobs.inputs import Inputs
from pecia_jobs.leases import UNLIMITED, Leases
from pecia_jobs.retention import Limits, Retention
from pecia_jobs.reviews import Reviews
from pecia_jobs.settings import JobSettings
from pecia_jobs.store import Store
from pecia_wall import Bearing, Walls
from prometheus_client import CollectorRegistry

from pecia_worker.assembly import Assembler
from pecia_worker.health import Health
from pecia_worker.housekeeping import Housekeeping
from pecia_worker.intake import IntakeMetrics, IntakeParts, Shop, build_intake
from pecia_worker.metrics import Metrics
from pecia_worker.outgoing import Outgoing
from pecia_worker.page import Desk, read_page
from pecia_worker.patience import Draining, Patience
from pecia_worker.purging import Purge
from pecia_worker.reading import Reader
from pecia_worker.room import Room
from pecia_worker.runner import Pace, Runner, Tasks
from pecia_worker.settings import Settings, WorkerSettings
from pecia_worker.specs import Specs

_log = logging.getLogger(__name__)
# Seconds the health server has for answers under way when all else has ended.
_GOODBYE_S = 1
# Seconds that deliveries and the intake have to end what is under way when the last page has ended.
_PARTING_S = 15.0
_MIB = 1024 * 1024
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class World:
    """What a worker stands on."""

    database: Database
    blobs: Blobs
    client: OcrClient


class Worker:
    """All parts of one worker, put together."""

    def __init__(self, settings: Settings, world: World, bearing: Bearing | None = None) -> None:
        """Nothing runs yet. `bearing` = what holds the processes that draw; None = nobody has looked."""
        self._settings = settings
        self._world = world
        self._stopping = asyncio.Event()
        self._drained = asyncio.Event()
        self._has_tables = False
        self.metrics = Metrics(CollectorRegistry())
        self._patience = Patience(
            self.metrics, settings.worker.patience_s, self._stopping, loading_s=settings.worker.loading_s
        )
        self._store = Store(world.database, settings.jobs.max_age_hours * _HOUR_S)
        leases = Leases(
            world.database,
            settings.jobs.lease_s,
            settings.jobs.max_attempts,
            settings.jobs.tenant_max_running or UNLIMITED,
        )
        drawn_within = settings.render.limits(wall_required=settings.wall.required)
        self._renderer = PdfRenderer(settings.render.workers, drawn_within)
        walls = Walls(bearing, drawn_within.memory_bytes, drawn_within.page_timeout_s) if bearing else None
        if walls:
            show_walls(self.metrics.registry, "worker", walls)
        self._inputs = Inputs(
            world.blobs,
            self._renderer,
            partial(self._patience.through, "blobs"),
            most_bytes=settings.worker.documents_bytes,
            folder=settings.worker.folder,
        )
        self._room = Room(world.client, settings.worker.max_concurrency)
        name = _name(settings.worker)
        self._runner = Runner(name, leases, self._tasks(), self._room.pages, self.metrics)
        self._intake = self._intake_parts()
        self._outgoing = Outgoing(settings, world.database, self._intake)
        self._dispatcher = self._outgoing.dispatcher(self.metrics.registry, name)
        self._housekeeping = self._keeper(leases)
        self.health = Health(
            store=self._store,
            client=world.client,
            metrics=self.metrics,
            in_flight=lambda: self._runner.pages_in_flight,
            working=lambda: self._has_tables,
            walls=walls,
        )

    def stop(self) -> None:
        """Take nothing new, end what runs, give back what waits; called again, give everything back now."""
        self._stopping.set()
        self._runner.stop()

    async def run(self) -> None:
        """Until stopped.

        Raises:
            ExceptionGroup: a part failed unforeseen; whoever started this starts it again.
        """
        try:
            await self._prepare()
            async with asyncio.TaskGroup() as group:
                tidying = self._inputs.forget_idle(self._settings.worker.documents_idle_s)
                parts = (self._room.watch(), self._housekeeping.run(), tidying)
                endless = [group.create_task(part) for part in parts]
                beside = [group.create_task(self._dispatcher.run(self._drained))]
                if self._intake:
                    beside.append(group.create_task(self._intake.intake.run(self._stopping)))
                await self._runner.run(self._pace())
                self._drained.set()
                await asyncio.wait(beside, timeout=_PARTING_S)
                for task in (*endless, *beside):
                    task.cancel()
        except Draining:
            pass  # before there was anything to do
        finally:
            await self._close()

    async def _close(self) -> None:
        self._outgoing.close()
        if self._intake:
            await self._intake.close()
        await self._inputs.close()
        await self._renderer.close()

    def _intake_parts(self) -> IntakeParts | None:
        if not self._settings.has_queue:
            return None
        reviews = Reviews(self._world.database) if self._settings.review.api_url else None
        world, limits = self._world, _limits(self._settings.jobs)
        shop = Shop(world.database, self._store, world.blobs, self._renderer, limits, reviews)
        return build_intake(self._settings.queue(), shop, IntakeMetrics(self.metrics.registry))

    async def _prepare(self) -> None:
        """Bring the tables up to date, once the database is there."""
        endless = Patience(self.metrics, float("inf"), self._stopping)
        await endless.through("database", self._world.database.migrate)
        self._has_tables = True
        _log.info("the worker takes pages")

    def _tasks(self) -> Tasks:
        reader = Reader(self._world.client, self._patience, self._settings.ocr.timeout_s)
        specs = Specs(self._store, self._patience)
        desk = Desk(specs, self._inputs, reader, self._world.blobs, self._patience, self.metrics)
        assembler = Assembler(self._store, self._world.blobs, self._patience, self._settings.worker.folder)
        return Tasks(read=partial(read_page, desk=desk), assemble=assembler.assemble)

    def _keeper(self, leases: Leases) -> Housekeeping:
        chores = self._settings.housekeeping
        retention = Retention(self._world.database, _limits(self._settings.jobs))
        purge = Purge(retention, self._store, self._world.blobs, self.metrics, chores.orphan_age_s)
        return Housekeeping(leases, self._store, purge, self.metrics, chores)

    def _pace(self) -> Pace:
        worker = self._settings.worker
        idle_s = worker.idle_s / 4 if self._world.database.sqlite else worker.idle_s
        return Pace(worker.busy_s, idle_s, worker.watch_s, worker.drain_s)


async def run(settings: Settings, bearing: Bearing | None = None) -> None:
    """Work until told to stop: SIGTERM or SIGINT once to end what runs, twice to give everything back now.

    Args:
        settings: of this process.
        bearing: what holds the processes that draw, to be told; None = nobody has looked.
    """
    async with _world(settings) as world:
        worker = Worker(settings, world, bearing)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        server = _Quiet(_http(worker.health, settings))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await worker.run()
            server.should_exit = True


@asynccontextmanager
async def _world(settings: Settings) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        database = open_database(settings.database)
        stack.push_async_callback(database.close)
        client = OcrClient(settings.ocr)
        stack.push_async_callback(client.close)
        yield World(database, open_blobs(settings.blobs), client)


class _Quiet(uvicorn.Server):
    """uvicorn that leaves the signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _http(health: Health, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        health.app(),
        host=settings.health.host,
        port=settings.health.port,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GOODBYE_S,
    )


def _name(settings: WorkerSettings) -> str:
    """For people; the last part keeps workers apart that share all else."""
    return f"{settings.name or socket.gethostname()}-{os.getpid()}-{token_hex(2)}"


def _limits(jobs: JobSettings) -> Limits:
    return Limits(int(jobs.max_storage_mb * _MIB), jobs.max_count, jobs.max_age_hours * _HOUR_S)
