"""One engine's lane: its worker processes, the pages waiting for them, and its measured pace."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from time import monotonic

from pecia_core.errors import PeciaError, Unavailable
from pecia_core.recognition import Delta, Event, Started
from pecia_core.vocabulary import EngineName, EngineState

from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling import frames
from pecia_ocr.scheduling.inbox import WorkerGone
from pecia_ocr.scheduling.keeper import Keeper
from pecia_ocr.scheduling.pace import Pace
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.scheduling.process import EngineSpec, WorkerProcess
from pecia_ocr.scheduling.waiting import WaitingRoom

log = logging.getLogger(__name__)


class Lane:
    """Reads pages with one engine, as many at a time as its workers have places."""

    def __init__(self, spec: EngineSpec, workers: int) -> None:
        """Not started.

        Attributes:
            lost: it could read pages and cannot any more, such as after its GPU has failed.

        Args:
            spec: what each worker becomes.
            workers: processes.
        """
        self.name = EngineName(spec.name)
        self.demo = spec.demo
        self.slots = workers * spec.pages_at_once
        self.info: EngineInfo | None = None
        self.lost = False
        self.state = EngineState.LOADING
        self.reason = "The model is loading."
        self.load_progress = 0.0
        self.pace = Pace(workers)
        self.running = 0
        self.on_change: Callable[[], None] = lambda: None
        self._room: WaitingRoom[WorkerProcess] = WaitingRoom()
        outgoing: set[WorkerProcess] = set()
        self._keepers = [Keeper(spec, self._room, self, outgoing) for _ in range(workers)]
        self._keeping: list[asyncio.Task[None]] = []
        self._reload_patience_s = spec.reload_patience_s

    @property
    def queue_length(self) -> int:
        """Pages that wait."""
        return self._room.length

    @property
    def free_slots(self) -> int:
        """Pages that could start at once."""
        return self._room.free

    @property
    def worker_pids(self) -> list[int]:
        """Processes of this lane."""
        return [pid for keeper in self._keepers for pid in keeper.pids]

    def start(self) -> None:
        """Begin to load, in the background."""
        self._keeping = [asyncio.create_task(keeper.run()) for keeper in self._keepers]

    async def read(self, page: PageInput) -> AsyncGenerator[Event, None]:
        """Wait for a place, then give what the worker says: Started, deltas and blocks, one Recognition.

        Where several pages are read together, each has its deltas, blocks and Recognition.

        Closing this generator leaves the queue, or frees the place.

        Raises:
            PeciaError: the page cannot be read.
        """
        said: list[Event] = []
        try:
            async with aclosing(self._read(page, alone=False)) as events:
                async for event in events:
                    said.append(event)
                    yield event
        except WorkerGone as error:
            if not error.beside:
                raise
            # One of several pages ended the worker, and nobody knows which: this one is read once more.
            log.info("A page is read again, alone", extra={"engine": self.name})
            async with aclosing(self._again(page, said, error)) as events:
                async for event in events:
                    yield event

    async def _again(
        self, page: PageInput, said: list[Event], error: WorkerGone
    ) -> AsyncGenerator[Event, None]:
        """What was not said yet. An engine says the same of the same page, or the caller hears of the end."""
        heard = 0
        async with aclosing(self._read(page, alone=True)) as events:
            async for event in events:
                if heard == len(said):
                    yield event
                elif _text(event) != _text(said[heard]):
                    raise error
                else:
                    heard += 1

    async def _read(self, page: PageInput, *, alone: bool) -> AsyncGenerator[Event, None]:
        arrived = monotonic()
        worker = await self._live_worker(page, alone=alone)
        began, beside = monotonic(), worker.pages
        self.running += 1
        try:
            queue_ms = (began - arrived) * 1000
            yield Started(self.name, self.info.revision if self.info else "", queue_ms)
            async with aclosing(worker.read(page)) as messages:
                async for message in messages:
                    if not isinstance(message, frames.AllDone):
                        yield _event(message, queue_ms)
            # Pages of one worker share its core: each had about this part of the time. Those that are read
            # together have one place, and whoever waits for it waits for all of them.
            self.pace.record((monotonic() - began) / (1 + (beside + worker.pages) / 2))
        finally:
            self.running -= 1
            self._room.release(worker)

    async def _live_worker(self, page: PageInput, *, alone: bool) -> WorkerProcess:
        """The next worker with a place; one that ended while it was free is passed over."""
        while True:
            worker = await (self._room.alone() if alone else self._room.worker(page.options.priority))
            if worker.alive:
                return worker

    async def close(self) -> None:
        """End every worker."""
        self._change(EngineState.DRAINING, "The service is shutting down.")
        for keeping in self._keeping:
            keeping.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)

    def progress(self, share: float) -> None:
        """A model has loaded this far."""
        self.load_progress = max(self.load_progress, share)

    def loaded(self, info: EngineInfo) -> None:
        """A worker is ready."""
        self.info = info
        self.load_progress = 1.0
        log.info("Engine ready", extra={"engine": self.name, "revision": info.revision})
        if self.state != EngineState.DRAINING:
            self._change(EngineState.READY, "")

    def missed(self) -> None:
        """A worker has ended. Pages wait for the next one, but not for a model that loads for minutes."""
        asyncio.get_running_loop().call_later(self._reload_patience_s, self._say_loading)

    def _say_loading(self) -> None:
        if self.state == EngineState.READY and not self._room.workers:
            self.load_progress = 0.0
            self._change(EngineState.LOADING, "The process that read ended; the model is loading again.")

    def give_up(self, error: PeciaError) -> None:
        """This machine cannot run the engine; say why to whoever asks."""
        self.lost = self.info is not None
        log.warning("Engine unavailable", extra={"engine": self.name, "reason": error.message})
        self._change(EngineState.UNAVAILABLE, error.message)
        self._room.refuse_all(Unavailable(error.message))

    def _change(self, state: EngineState, reason: str) -> None:
        self.state, self.reason = state, reason
        self.on_change()


def _text(event: Event) -> str:
    return event.text if isinstance(event, Delta) else type(event).__name__


def _event(message: frames.FromWorker, queue_ms: float) -> Event:
    match message:
        case frames.Text(delta=delta):
            return delta
        case frames.BlockRead(block=block):
            return block
        case frames.Done(recognition=recognition) | frames.PageDone(recognition=recognition):
            return replace(recognition, timings=replace(recognition.timings, queue_ms=queue_ms))
        case other:
            raise WorkerGone(f"The worker said {type(other).__name__} while reading.")
