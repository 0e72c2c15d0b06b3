"""What keeps leases alive, and what stops the work on those that are lost: with real leases."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from pecia_core.errors import Unavailable
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import Lease
from pecia_worker.heartbeat import Heartbeat
from pecia_worker.held import Held
from pecia_worker.metrics import Metrics
from pecia_worker.testing import Owner, scanned
from prometheus_client import CollectorRegistry


class SlowLeases(Leases):
    """Answers beats when it is told to; `silent` = not at all."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, lease_s=3.0)
        self.asked: list[frozenset[str]] = []
        self.answer = asyncio.Event()
        self.silent = False

    async def beat(self, worker: str, tokens: Iterable[str]) -> set[str]:
        """Decides what holds, then takes its time to say so."""
        sent = frozenset(tokens)
        self.asked.append(sent)
        if self.silent:
            raise Unavailable("The job database does not answer.", code="store_unavailable")
        holds = await super().beat(worker, sent)
        await self.answer.wait()
        return holds


@pytest.fixture
def leases(database: Database) -> SlowLeases:
    """Of three seconds."""
    return SlowLeases(database)


def work(held: Held, lease: Lease) -> "asyncio.Task[None]":
    """Something that works on a lease until it is stopped."""
    task: asyncio.Task[None] = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
    held.take(lease, task)
    return task


@asynccontextmanager
async def running(*loops: "asyncio.Future[None]") -> AsyncIterator[None]:
    """Ended with the test."""
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def test_a_page_claimed_during_a_beat_is_not_lost(leases: SlowLeases, owner: Owner) -> None:
    """An answer is judged for the tokens it was asked about; the newcomer is in the next beat."""
    await owner.submit(scanned(2), 2)
    held, metrics = Held(), Metrics(CollectorRegistry())
    (first,) = await leases.claim("me", 1)
    tasks = [work(held, first)]
    beating = asyncio.ensure_future(Heartbeat(leases, "me", held, metrics).beat(0.3))
    async with running(beating):
        await asyncio.wait_for(_until(lambda: leases.asked), 30)
        (second,) = await leases.claim("me", 1)
        tasks.append(work(held, second))
        leases.answer.set()
        await asyncio.wait_for(_until(lambda: len(leases.asked) > 1), 30)
    assert leases.asked[0] == {first.token}
    assert leases.asked[1] == {first.token, second.token}
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()


async def test_a_lost_lease_stops_its_page_only(leases: SlowLeases, owner: Owner) -> None:
    """What the database no longer knows as ours is cancelled; settled pages are its to judge, not ours."""
    await owner.submit(scanned(3), 3)
    held, metrics = Held(), Metrics(CollectorRegistry())
    claimed = await leases.claim("me", 3)
    keeps, loses, settled = (work(held, lease) for lease in claimed)
    held.settle(claimed[2].token)
    await leases.release([claimed[1].token, claimed[2].token])
    leases.answer.set()
    beating = asyncio.ensure_future(Heartbeat(leases, "me", held, metrics).beat(30))
    async with running(beating):
        await asyncio.wait({loses}, timeout=30)
    assert (loses.cancelled(), keeps.done(), settled.done()) == (True, False, False)
    assert metrics.leases_lost.labels("beat")._value.get() == 1
    keeps.cancel()
    settled.cancel()


async def test_a_worker_without_an_answer_stops_itself(leases: SlowLeases, owner: Owner) -> None:
    """When two thirds of a lease have passed without a word, somebody else may soon have the page."""
    await owner.submit(scanned(1), 1)
    held, metrics = Held(), Metrics(CollectorRegistry())
    (lease,) = await leases.claim("me", 1)
    leases.silent = True
    heartbeat = Heartbeat(leases, "me", held, metrics)
    task = work(held, lease)
    async with running(*map(asyncio.ensure_future, (heartbeat.beat(1.5), heartbeat.guard(1.5)))):
        await asyncio.sleep(0.3)
        assert not task.done()
        await asyncio.wait({task}, timeout=30)
    assert task.cancelled()
    assert metrics.leases_lost.labels("late")._value.get() == 1


async def _until(condition: object) -> None:
    while not condition():  # type: ignore[operator]
        await asyncio.sleep(0.01)
