"""Workers in this process, each with troubles of its own between it and the world, and jobs to be done."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pecia_dispatch.settings import OcrSettings
from pecia_jobs.database import Database
from pecia_jobs.settings import JobSettings
from pecia_jobs.store import Store
from pecia_worker.main import Worker, World
from pecia_worker.settings import HousekeepingSettings, Settings, WorkerSettings

from benchmarks.jobs import audit
from benchmarks.jobs.checker import Violation, check
from benchmarks.jobs.faults import Chance, FaultyBlobs, FaultyClient, FaultyDatabase, Trouble
from benchmarks.jobs.history import Recorder, ordered, recorded
from benchmarks.jobs.owners import Owner
from benchmarks.jobs.places import Place
from benchmarks.jobs.readers import Engine, Pace, reading
from benchmarks.jobs.truth import truth

_END_S = 60.0
_QUICK = Pace(0.0, 0.06)


@dataclass(frozen=True, slots=True)
class Ordeal:
    """`faults` happen, each call with the probability `rate`, while `at_once` jobs are there to be done.

    `cancelled` is the share of jobs that are cancelled; `restarts` = how often the database server is killed
    and started again, where there is one. Seconds: `lease_s`, and `within_s` for everything.
    """

    seed: int
    faults: int
    rate: float = 0.06
    workers: int = 3
    slots: int = 4
    at_once: int = 6
    cancelled: float = 0.15
    restarts: int = 0
    lease_s: float = 1.5
    within_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: `drawn` counts faults by place and kind, `ends` jobs by the state they ended in."""

    jobs: int
    pages: int
    seconds: float
    drawn: dict[str, int]
    ends: dict[str, int]
    restarts: int
    violations: list[Violation]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What everybody stands on: good ways to look, and chance for the others."""

    place: Place
    ordeal: Ordeal
    chance: Chance
    recorder: Recorder
    history: Path
    database: Database
    target: str


async def endured(place: Place, folder: Path, ordeal: Ordeal) -> Outcome:
    """Work through all faults, then in peace until every job has ended, and judge.

    `folder` exists; what happened is kept there in history.jsonl.
    """
    history = folder / "history.jsonl"
    recorder = Recorder(history)
    chance = Chance(random.Random(ordeal.seed), ordeal.rate, ordeal.faults, ordeal.lease_s)
    began = time.time()
    async with AsyncExitStack() as stack:
        database = place.database()
        stack.push_async_callback(database.close)
        await database.migrate()
        await audit.watch(database)
        engine = Engine(recorder, _QUICK, random.Random(ordeal.seed))
        switch = await stack.enter_async_context(reading(engine))
        ground = _Ground(place, ordeal, chance, recorder, history, database, switch.target)
        for number in range(ordeal.workers):
            await stack.enter_async_context(_working(ground, number))
        trouble = Trouble(chance)
        faulty = FaultyDatabase(place.database_url, trouble)
        stack.push_async_callback(faulty.close)
        owner = Owner(Store(faulty), FaultyBlobs(place.blobs, trouble), recorder, chance.dice)
        restarts = await _kept_busy(ground, owner)
        found = await _judged(ground, owner)
    return replace(found, seconds=time.time() - began, restarts=restarts)


async def _kept_busy(ground: _Ground, owner: Owner) -> int:
    """Jobs until the faults are spent, and until the last of them has ended; gives the restarts."""
    restarting = asyncio.create_task(_restarts(ground))
    callers = [asyncio.create_task(_calls(ground, owner, number)) for number in range(ground.ordeal.at_once)]
    try:
        async with asyncio.timeout(ground.ordeal.within_s):
            await asyncio.gather(*callers)
    except TimeoutError:
        pass  # the checker says what is stuck
    finally:
        await _dropped(callers)
    return await restarting


async def _calls(ground: _Ground, owner: Owner, caller: int) -> None:
    """One job after the other until the faults are spent."""
    number = 0
    while not ground.chance.spent:
        cancelled = ground.chance.dice.random() < ground.ordeal.cancelled
        await owner.job(f"s{ground.ordeal.seed}x{caller}x{number}", cancelled=cancelled)
        number += 1


async def _dropped(tasks: Iterable[asyncio.Task[None]]) -> None:
    kept = list(tasks)
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)


async def _restarts(ground: _Ground) -> int:
    """Kill the database server now and then, spread over the faults."""
    server, wanted = ground.place.server, ground.ordeal.restarts
    if server is None or not wanted:
        return 0
    faults = ground.ordeal.faults
    for number in range(wanted):
        while ground.chance.budget > faults - faults * (number + 1) // (wanted + 1):
            await asyncio.sleep(0.05)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(ground.chance.dice.uniform(0.1, 1.0))
        await asyncio.to_thread(server.start)
    return wanted


@asynccontextmanager
async def _working(ground: _Ground, number: int) -> AsyncIterator[None]:
    """A whole worker, housekeeping and renderer included, on faulty ground."""
    trouble = Trouble(ground.chance)
    ocr = OcrSettings(target=ground.target)
    settings = Settings(
        worker=WorkerSettings(name=f"worker{number}", max_concurrency=ground.ordeal.slots, idle_s=0.2),
        housekeeping=HousekeepingSettings(sweep_s=0.3),
        jobs=JobSettings(lease_s=ground.ordeal.lease_s),
        ocr=ocr,
    )
    database = FaultyDatabase(ground.place.database_url, trouble)
    client = FaultyClient(ocr, trouble)
    worker = Worker(settings, World(database, FaultyBlobs(ground.place.blobs, trouble), client))
    task = asyncio.create_task(worker.run())
    try:
        yield
        assert not task.done(), f"a worker ended by itself: {task}"
        worker.stop()
        await asyncio.wait_for(task, _END_S)
    finally:
        await _dropped([task])
        await client.close()
        await database.close()


async def _judged(ground: _Ground, owner: Owner) -> Outcome:
    labels = owner.labels
    outside = [replace(event, job=labels.get(event.job, event.job)) for event in recorded(ground.history)]
    jobs = set(labels.values())
    inside = [event for event in await audit.committed(ground.database) if event.job in jobs]
    found = await truth(ground.database, ground.place.open_blobs(), jobs)
    ends = Counter(job.state for job in found.jobs)
    violations = check(ordered(inside, outside), found)
    return Outcome(len(jobs), owner.pages, 0.0, dict(ground.chance.drawn), dict(ends), 0, violations)
