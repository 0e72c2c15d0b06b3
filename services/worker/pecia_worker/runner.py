"""The worker's loop: claim pages while there is room, work on them, see that each comes to an outcome.

A page ends here in one of four ways: recorded, failed, given back, or lost to somebody else. Whatever
else happens to this process, its leases run out and the pages go to others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pecia_core.errors import EngineFailed, PeciaError, Unavailable
from pecia_core.telemetry import request_id
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, Lease, PageResult, PageState

from pecia_worker.assembly import Ending
from pecia_worker.heartbeat import Heartbeat
from pecia_worker.held import Held
from pecia_worker.metrics import Metrics
from pecia_worker.patience import Draining, GivesWay, Patience
from pecia_worker.reading import call_name
from pecia_worker.recording import Recorder
from pecia_worker.verdicts import Verdict, verdict_of

_log = logging.getLogger(__name__)
# Seconds at the end of the grace that are kept for giving pages back.
_FAREWELL_S = 2.0


@dataclass(frozen=True, slots=True)
class Tasks:
    """What is done with a lease: a page is read; for number 0 the job is put together."""

    read: Callable[[Lease], Awaitable[PageResult]]
    assemble: Callable[[Lease], Awaitable[Ending]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds.

    Attributes:
        busy_s: between two looks for pages while there are any; doubled up to `idle_s` while not.
        idle_s: what a job may wait at most for a worker with nothing to do.
        watch_s: between two looks at whether pages being read are still wanted.
        drain_s: that pages have to end in once the worker was told to stop; then they are given back.
    """

    busy_s: float = 0.05
    idle_s: float = 1.0
    watch_s: float = 0.5
    drain_s: float = 300.0


class Runner:
    """Claims pages and works on them. For one event loop."""

    def __init__(
        self, name: str, leases: Leases, tasks: Tasks, room: Callable[[], int], metrics: Metrics
    ) -> None:
        """Nothing is claimed yet.

        Args:
            name: this process's in the database; no two running workers share one.
            leases: where pages come from.
            tasks: what is done with them.
            room: pages to hold at once, asked before each claim.
            metrics: count everything.
        """
        self._name = name
        self._leases = leases
        self._tasks = tasks
        self._room = room
        self._metrics = metrics
        self._held = Held()
        # What was read is not thrown away: the database is waited for as long as this process lives.
        self._endless = Patience(metrics, most_s=float("inf"))
        self._recorder = Recorder(leases, self._endless)
        self._heartbeat = Heartbeat(leases, name, self._held, metrics)
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._hurried = asyncio.Event()
        metrics.in_flight.set_function(lambda: len(self._held))
        metrics.room.set_function(room)

    @property
    def pages_in_flight(self) -> int:
        """Pages held now."""
        return len(self._held)

    def stop(self) -> None:
        """Claim no more and end what runs; called again, give everything back now."""
        if self._stopped.is_set():
            self._hurried.set()
        self._stopped.set()
        self._woken.set()

    async def run(self, pace: Pace = Pace()) -> None:
        """Until stopped, and until every page has ended or was given back."""
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(self._heartbeat.beat(self._leases.lease_s)),
                group.create_task(self._heartbeat.watch(pace.watch_s)),
                group.create_task(self._heartbeat.guard(self._leases.lease_s)),
                group.create_task(self._recorder.run()),
            ]
            await self._claim_until_stopped(pace)
            await self._drain(pace.drain_s)
            for task in beside:
                task.cancel()

    async def _claim_until_stopped(self, pace: Pace) -> None:
        pause = pace.busy_s
        while not self._stopped.is_set():
            self._woken.clear()
            free = self._room() - len(self._held)
            found = await self._claim(free) if free > 0 else 0
            pause = pace.busy_s if found else min(2 * pause, pace.idle_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def _claim(self, most: int) -> int:
        try:
            with self._metrics.claim_seconds.time():
                leases = await self._leases.claim(self._name, most)
        except Unavailable as error:
            _log.warning("no pages could be claimed", extra={"code": error.code})
            return 0
        for lease in leases:
            self._held.take(lease, asyncio.create_task(self._work(lease), name=call_name(lease)))
        return len(leases)

    async def _work(self, lease: Lease) -> None:
        request_id.set(call_name(lease))
        try:
            await (self._assemble(lease) if lease.number == ASSEMBLY else self._read(lease))
        except asyncio.CancelledError:
            self._count("stopped")
        except Draining:
            await self._give_back([lease.token])
        except GivesWay as way:
            await self._give_back([lease.token], way.seconds)
        except PeciaError as error:
            await self._fail(lease, error)
        except Exception as error:  # noqa: BLE001 - one page must not end the others; its text stays out of logs
            _log.error(
                "a page failed unforeseen", extra={"error": type(error).__name__, "where": _where(error)}
            )
            await self._fail(lease, EngineFailed("The worker failed on this page."))
        finally:
            self._held.drop(lease.token)
            self._woken.set()

    async def _read(self, lease: Lease) -> None:
        result = await self._tasks.read(lease)
        self._held.settle(lease.token)
        recorded = await self._recorder.record(result)
        self._count("done" if recorded else "fenced", result.source)

    async def _assemble(self, lease: Lease) -> None:
        ending = await self._tasks.assemble(lease)
        self._held.settle(lease.token)
        finish = partial(self._leases.finish, lease, ending.state, stored=ending.stored, error=ending.error)
        if await self._endless.through("database", finish):
            self._metrics.jobs.labels(ending.state).inc()

    async def _fail(self, lease: Lease, error: PeciaError) -> None:
        permanent = verdict_of(error) is Verdict.PERMANENT
        self._held.settle(lease.token)
        state = await self._endless.through(
            "database",
            lambda: self._leases.fail(lease, error.code, error.message, permanent=permanent),
        )
        outcomes = {PageState.FAILED: "failed", PageState.WAITING: "retried"}
        self._metrics.failures.labels(error.code).inc()
        self._count(outcomes.get(state, "fenced") if state else "fenced")
        _log.info(
            "a page failed",
            extra={"code": error.code, "attempt": lease.attempt, "state": state or "fenced"},
        )

    async def _give_back(self, tokens: list[str], wait_s: float | None = None) -> None:
        for token in tokens:
            self._held.settle(token)
        with suppress(Unavailable):  # then the leases run out
            await self._leases.release(tokens, wait_s)
        self._count("given_back" if wait_s is None else "put_off", count=len(tokens))

    async def _drain(self, grace_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(grace_s - _FAREWELL_S, 0.0)):
                await self._ended_or_hurried()
        left, tasks = self._held.tokens, self._held.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if left:
            with suppress(TimeoutError):  # same
                async with asyncio.timeout(_FAREWELL_S):
                    await self._give_back(list(left))

    async def _ended_or_hurried(self) -> None:
        while len(self._held) and not self._hurried.is_set():
            self._woken.clear()
            await self._woken.wait()

    def _count(self, outcome: str, source: str = "", *, count: int = 1) -> None:
        self._metrics.pages.labels(outcome, source).inc(count)


def _where(error: BaseException) -> str:
    """The place in the code, without what was in its variables."""
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    return f"{last.tb_frame.f_code.co_filename.rpartition('/')[2]}:{last.tb_lineno}" if last else ""
