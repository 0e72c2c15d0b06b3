"""A gateway and workers on a place, with an engine that notes what it is shown and a caller."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pecia_jobs.blobs import Blobs
from pecia_jobs.database import Database

from benchmarks.jobs import audit
from benchmarks.jobs.callers import Caller
from benchmarks.jobs.history import Recorder
from benchmarks.jobs.places import Place
from benchmarks.jobs.programs import Program
from benchmarks.jobs.readers import Engine, Pace, Switch, reading
from benchmarks.jobs.receivers import Receiver, receiving

_START_S = 90.0
_LONGEST_CALL_S = 30.0


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part. `slots` = pages each worker holds; `refused` = share of webhooks answered with 500.

    `target` = an ocr service that runs already; empty = an engine of this process, which notes what it sees.
    """

    workers: int = 2
    slots: int = 4
    lease_s: float = 2.0
    refused: float = 0.0
    pace: Pace = field(default_factory=Pace)
    seed: int = 0
    target: str = ""
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs. `engine_switch` takes the ocr service away; `database` and `blobs` are for looking."""

    place: Place
    cast: Cast
    gateway: Program
    workers: list[Program]
    engine_switch: Switch
    receiver: Receiver
    caller: Caller
    recorder: Recorder
    history: Path
    database: Database
    blobs: Blobs
    http: httpx.AsyncClient
    url: str

    async def ready(self, program: Program) -> None:
        """Until it can work."""
        async with asyncio.timeout(_START_S):
            while not await _answers(self.http, program.ready_url):
                assert program.running, f"{program.name} ended while it started: {_tail(program.log)}"
                await asyncio.sleep(0.1)

    async def all_ready(self) -> None:
        """Until all can."""
        await asyncio.gather(*(self.ready(program) for program in (self.gateway, *self.workers)))

    def check_alive(self) -> None:
        """Nobody has ended who was not killed."""
        for program in (self.gateway, *self.workers):
            assert program.running, f"{program.name} has ended by itself: {_tail(program.log)}"


@asynccontextmanager
async def staged(place: Place, folder: Path, cast: Cast) -> AsyncIterator[Stage]:
    """Start everything; end it afterwards, whatever happened. Logs and the history go to `folder`."""
    history = folder / "history.jsonl"
    recorder = Recorder(history)
    async with AsyncExitStack() as stack:
        engine = Engine(recorder, cast.pace, random.Random(cast.seed))
        switch = await stack.enter_async_context(reading(engine))
        receiver = await stack.enter_async_context(receiving(Receiver(recorder, cast.refused, cast.seed)))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=_LONGEST_CALL_S))
        database = place.database()
        stack.push_async_callback(database.close)
        await database.migrate()
        await audit.watch(database)
        shared = _environment(place, cast, cast.target or switch.target)
        gateway = _gateway(shared, folder)
        url = gateway.ready_url.removesuffix("/live")
        workers = [_worker(f"worker{number}", cast.slots, shared, folder) for number in range(cast.workers)]
        for program in (gateway, *workers):
            program.start()
            stack.callback(program.kill)
        caller = Caller(url, recorder, http)
        # fmt: off
        stage = Stage(
            place, cast, gateway, workers, switch, receiver, caller, recorder, history,
            database, place.open_blobs(), http, url,
        )
        # fmt: on
        await stage.all_ready()
        yield stage


def _environment(place: Place, cast: Cast, target: str) -> dict[str, str]:
    return {
        **place.settings,
        "PECIA_OCR__TARGET": target,
        "PECIA_JOBS__LEASE_S": str(cast.lease_s),
        "PECIA_WEBHOOKS__ALLOW_HTTP": "true",
        "PECIA_WEBHOOKS__ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "PECIA_WEBHOOKS__SIGNING_KEYS": "a key for tests that opens nothing at all",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # they are started over and over
        **cast.environment,
    }


def _gateway(shared: dict[str, str], folder: Path) -> Program:
    port = _free_port()
    own = {"PECIA_HTTP__HOST": "127.0.0.1", "PECIA_HTTP__PORT": str(port)}
    url = f"http://127.0.0.1:{port}/live"
    return Program("gateway", "pecia_gateway", shared | own, folder / "gateway.log", url)


def _worker(name: str, slots: int, shared: dict[str, str], folder: Path) -> Program:
    port = _free_port()
    own = {
        "MAX_CONCURRENCY": str(slots),
        "PECIA_WORKER__NAME": name,
        "PECIA_HEALTH__HOST": "127.0.0.1",
        "PECIA_HEALTH__PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}/ready"
    return Program(name, "pecia_worker", shared | own, folder / f"{name}.log", url)


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(path: Path) -> str:
    text = path.read_text(errors="replace") if path.exists() else ""
    return text[-2000:] + os.linesep
