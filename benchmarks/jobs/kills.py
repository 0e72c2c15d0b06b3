"""Rounds of jobs in each of which somebody is killed, or stopped for longer than a lease, by chance."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.jobs import audit
from benchmarks.jobs.callers import Order
from benchmarks.jobs.checker import Violation, check
from benchmarks.jobs.history import Event, Kind, ordered, recorded
from benchmarks.jobs.recovery import Recovery, claimed_again, read_again, recoveries
from benchmarks.jobs.stage import Stage
from benchmarks.jobs.truth import truth

# A delivery whose worker was killed on the way is tried again when its lease of a minute is over.
_TOLD_S = 90.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round is: `jobs` of so many pages; who may be hit; how long everything may take."""

    seed: int
    rounds: int
    victims: Sequence[str] = ("worker", "worker", "gateway", "frozen worker")
    jobs: int = 3
    least_pages: int = 12
    most_pages: int = 30
    within_s: float = 90.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Promises broken, pages that dead workers held, and pages read and claimed more than once."""

    violations: list[Violation]
    recoveries: list[Recovery]
    read_again: int
    claimed_again: int


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one. `seconds` from the first submission until everybody was told of the last end."""

    number: int
    victim: str
    pages: int
    seconds: float
    found: Judgement


async def rounds(stage: Stage, plan: Plan, told: Callable[[Round], None] = lambda _: None) -> list[Round]:
    """All of them, one after the other; each begins with everybody alive."""
    done = []
    for number in range(plan.rounds):
        dice = random.Random(f"{plan.seed}:{number}")
        done.append(await _round(stage, plan, number, dice))
        told(done[-1])
    return done


async def _round(stage: Stage, plan: Plan, number: int, dice: random.Random) -> Round:
    victim = plan.victims[number % len(plan.victims)]
    orders = [
        Order(f"r{plan.seed}x{number}x{job}", _pages(plan, dice), stage.receiver.url)
        for job in range(plan.jobs)
    ]
    began = time.time()
    jobs: dict[str, str] = {}
    hit = asyncio.create_task(_strike(stage, victim, dice, jobs))
    try:
        async with asyncio.timeout(plan.within_s), asyncio.TaskGroup() as group:
            for order in orders:
                group.create_task(_job(stage, order, jobs, dice.uniform(0, 0.5)))
        await hit
        await _all_told(stage, list(jobs.values()))
    except TimeoutError:
        await hit  # the checker says what is stuck
    seconds = time.time() - began
    pages = sum(order.pages for order in orders)
    return Round(number, victim, pages, seconds, await judged(stage, jobs, began))


async def _job(stage: Stage, order: Order, labels: dict[str, str], wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    labels[order.label] = await stage.caller.submit(order)
    await stage.caller.watch(labels[order.label])


async def judged(stage: Stage, jobs: Mapping[str, str], since: float) -> Judgement:
    """What happened to jobs (label -> id) since a time, by the checker."""
    outside = [
        replace(event, job=jobs.get(event.job, event.job))
        for event in recorded(stage.history)
        if event.at >= since
    ]
    ids = set(jobs.values())
    inside = [event for event in await audit.committed(stage.database) if event.job in ids]
    history = ordered(inside, [event for event in outside if event.job in ids or not event.job])
    found = await truth(stage.database, stage.blobs, ids)
    again = read_again(history), claimed_again(history)
    return Judgement(check(history, found), recoveries(history), *again)


async def _strike(stage: Stage, victim: str, dice: random.Random, jobs: Mapping[str, str]) -> None:
    while not jobs and victim != "gateway":  # there is something to be lost; the gateway may lose a request
        await asyncio.sleep(_LOOK_S)
    await asyncio.sleep(dice.uniform(0.0, 1.5))
    away_s = dice.uniform(0.2, 3.0)
    strikes: dict[str, Callable[[], Awaitable[None]]] = {
        "worker": lambda: _worker(stage, dice, away_s),
        "frozen worker": lambda: _frozen(stage, dice),
        "gateway": lambda: _gateway(stage, away_s),
        "database": lambda: _database(stage, away_s),
    }
    await strikes[victim]()


async def _worker(stage: Stage, dice: random.Random, away_s: float) -> None:
    worker = dice.choice(stage.workers)
    worker.kill()
    at = time.time()
    tokens = await held_by(stage, worker.name)
    stage.recorder.add(Event(at, Kind.KILLED, worker=worker.name, detail=",".join(tokens)))
    await asyncio.sleep(away_s)
    worker.start()
    await stage.ready(worker)


async def _frozen(stage: Stage, dice: random.Random) -> None:
    worker = dice.choice(stage.workers)
    worker.freeze()
    await asyncio.sleep(1.5 * stage.cast.lease_s)
    worker.thaw()


async def _gateway(stage: Stage, away_s: float) -> None:
    stage.gateway.kill()
    await asyncio.sleep(away_s)
    stage.gateway.start()
    await stage.ready(stage.gateway)


async def _database(stage: Stage, away_s: float) -> None:
    assert stage.place.server is not None
    stage.place.server.kill()
    await asyncio.sleep(away_s)
    await asyncio.to_thread(stage.place.server.start)


async def held_by(stage: Stage, worker: str) -> list[str]:
    """Tokens of the pages a worker holds, as the database has it."""

    async def read(connection: AsyncConnection) -> list[str]:
        query = "SELECT lease_token FROM page WHERE state = 'leased' AND worker LIKE :worker"
        return [row[0] for row in await connection.execute(text(query), {"worker": f"%{worker}%"})]

    return await stage.database.reading(read)


async def _all_told(stage: Stage, jobs: list[str]) -> None:
    """Until nothing is to be delivered any more, or that takes too long: the checker says what is missing."""

    async def waiting(connection: AsyncConnection) -> int:
        query = "SELECT job_id FROM outbox WHERE status = 'pending'"
        return len({row[0] for row in await connection.execute(text(query))} & set(jobs))

    end = time.monotonic() + _TOLD_S
    while await stage.database.reading(waiting) and time.monotonic() < end:
        await asyncio.sleep(_LOOK_S)


def _pages(plan: Plan, dice: random.Random) -> int:
    return dice.randint(plan.least_pages, plan.most_pages)
