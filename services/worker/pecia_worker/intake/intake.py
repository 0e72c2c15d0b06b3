"""The loops of the intake: take ids, bring them in, show signs of life, and find what others left behind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic

from pecia_core.errors import PeciaError, Unavailable

from pecia_worker.intake.arrivals import Arrivals
from pecia_worker.intake.finisher import HOPELESS, Finisher
from pecia_worker.intake.places import Places
from pecia_worker.intake.queue import Take
from pecia_worker.intake.reaper import Reaper
from pecia_worker.intake_settings import IntakeSettings

_log = logging.getLogger(__name__)
# Seconds between tries of something that is away.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 10.0
# Parts of the time after which a silent id goes back: signs of life in it, and how long one is kept trying.
_BEATS = 4
_PARTING_S = 2.0
# Seconds between looks at how many ids there are: each is a command, and some pay for commands.
_COUNT_S = 30.0


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work."""

    arrivals: Arrivals
    finisher: Finisher
    reaper: Reaper


class Intake:
    """Turns ids in Redis into jobs for as long as it runs. Any number of workers may run one."""

    def __init__(self, places: Places, crew: Crew, settings: IntakeSettings) -> None:
        """Nothing is asked yet."""
        self._queue = places.queue
        self._documents = places.documents
        self._metrics = places.metrics
        self._crew = crew
        self._settings = settings
        self._held: set[Take] = set()
        self._places = asyncio.Semaphore(settings.concurrency)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what was taken by then is brought in first.

        A cancel gives back what is in hand. What Redis, the table's database or the bucket cannot do now is
        tried again until they can.

        Raises:
            InvalidRequest: Redis or the table is not as the settings say.
        """
        await self._until_possible(stop, self._check)
        async with asyncio.TaskGroup() as loops:
            beside = [loops.create_task(work) for work in (self._beat(), self._reap(), self._count())]
            await self._take_all(stop)
            for task in beside:
                task.cancel()

    async def _check(self) -> None:
        await self._queue.check()
        await self._documents.check()

    async def _take_all(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as works:
            pauses = self._pauses()
            while not stop.is_set():
                await self._places.acquire()
                take = None if stop.is_set() else await self._take()
                if take is None or not take.token:
                    self._places.release()
                if take is None:
                    await _either(stop, next(pauses))
                    continue
                pauses = self._pauses()
                if take.token:
                    self._held.add(take)
                    works.create_task(self._bring_in(take))

    async def _take(self) -> Take | None:
        try:
            return await self._queue.take()
        except Unavailable:  # the link has said so
            await asyncio.sleep(self._settings.poll_interval_ms / 1000)
            return None

    def _pauses(self) -> Iterator[float]:
        """Seconds between looks at an empty list."""
        pause, last = self._settings.poll_interval_ms / 5000, self._settings.poll_interval_ms / 500
        while True:
            yield pause
            pause = min(2 * pause, last)

    async def _bring_in(self, take: Take) -> None:
        try:
            await self._tried(take)
        except asyncio.CancelledError:
            await self._part_with(take)
            raise
        except Exception:  # noqa: BLE001 - the reaper counts its takes and gives it up in the end
            _log.exception("a document could not be taken in", extra={"document": take.document_id})
        finally:
            self._held.discard(take)
            self._places.release()

    async def _tried(self, take: Take) -> None:
        """Bring it in, or refuse it. One that has to wait for long makes room, and is taken again later."""
        patience_s = self._settings.stuck_timeout_ms / 1000
        try:
            await _persistently(lambda: self._settled(take), patience_s)
        except PeciaError as error:
            if not error.retryable:
                raise
            _log.warning("a document waits for better times", extra={"document": take.document_id})
            await self._queue.release(take)
            self._metrics.documents.labels("waited").inc()

    async def _settled(self, take: Take) -> None:
        try:
            job = await self._crew.arrivals.bring(take)
        except HOPELESS as error:
            await self._crew.arrivals.refuse(take, error)
            return
        if job and job.state.terminal:  # somebody else made it long ago
            await self._crew.finisher.finish(job)

    async def _part_with(self, take: Take) -> None:
        """Give it back on the way out. If that does not work, its silence will."""
        try:
            async with asyncio.timeout(_PARTING_S):
                await self._queue.release(take)
        except (PeciaError, TimeoutError) as error:
            _log.warning("an id was not given back", extra={"reason": type(error).__name__})

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.stuck_timeout_ms / 1000 / _BEATS)
            await _forgivingly(lambda: self._queue.beat(list(self._held)))

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reaper_interval_ms / 1000)
            await _forgivingly(self._crew.reaper.sweep)

    async def _count(self) -> None:
        while True:
            await _forgivingly(self._counted)
            await asyncio.sleep(_COUNT_S)

    async def _counted(self) -> None:
        for where, count in (await self._queue.counts()).items():
            self._metrics.ids.labels(where).set(count)

    async def _until_possible(self, stop: asyncio.Event, step: Callable[[], Awaitable[object]]) -> None:
        trying = asyncio.ensure_future(_persistently(step))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({trying, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if trying.done():
                trying.result()
        finally:
            trying.cancel()
            stopped.cancel()
            await asyncio.gather(trying, stopped, return_exceptions=True)


async def _persistently(step: Callable[[], Awaitable[object]], patience_s: float = inf) -> None:
    """Do it, again as long as it may succeed later, and no further try would begin after `patience_s`."""
    until = monotonic() + patience_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            await step()
        except PeciaError as error:
            if not error.retryable or monotonic() + pause > until:
                raise
            _log.warning("the intake waits", extra={"reason": error.message, "seconds": pause})
        else:
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE_S)


async def _forgivingly(step: Callable[[], Awaitable[object]]) -> None:
    """Do it once; the next time comes."""
    try:
        await step()
    except PeciaError as error:
        _log.warning("the intake goes on", extra={"reason": error.message})
    except Exception:  # noqa: BLE001 - a surprise must not end the worker
        _log.exception("the intake goes on")


async def _either(stop: asyncio.Event, seconds: float) -> None:
    """Until told to stop, or so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
