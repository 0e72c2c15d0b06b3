"""One engine's lane: its worker processes, the pages waiting for them, and its measured pace."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from time import monotonic

from pecia_core.errors import PeciaError, Unavailable
from pecia_core.recognition import Event, Started
from pecia_core.vocabulary import EngineName, EngineState

from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling import frames
from pecia_ocr.scheduling.pace import Pace
from pecia_ocr.scheduling.process import EngineSpec, PageInput, WorkerGone, WorkerProcess
from pecia_ocr.scheduling.waiting import WaitingRoom

log = logging.getLogger(__name__)

_RESTART_FIRST_S = 0.1
_RESTART_MOST_S = 30.0


class Lane:
    """Reads pages with one engine, as many at a time as it has workers."""

    def __init__(self, spec: EngineSpec, slots: int) -> None:
        """Not started.

        Args:
            spec: what each worker becomes.
            slots: worker processes, each of which reads one page at a time.
        """
        self.name = EngineName(spec.name)
        self.slots = slots
        self.info: EngineInfo | None = None
        self.state = EngineState.LOADING
        self.reason = "The model is loading."
        self.load_progress = 0.0
        self.pace = Pace(slots)
        self.running = 0
        self.on_change: Callable[[], None] = lambda: None
        self._spec = spec
        self._room: WaitingRoom[WorkerProcess] = WaitingRoom()
        self._workers: set[WorkerProcess] = set()
        self._keepers: list[asyncio.Task[None]] = []

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
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def start(self) -> None:
        """Begin to load, in the background."""
        self._keepers = [asyncio.create_task(self._keep_one()) for _ in range(self.slots)]

    async def read(self, page: PageInput) -> AsyncGenerator[Event, None]:
        """Wait for a worker, then give what it says: Started, deltas and blocks, one Recognition.

        Closing this generator leaves the queue, or frees the worker.

        Raises:
            PeciaError: the page cannot be read.
        """
        arrived = monotonic()
        worker = await self._live_worker(page)
        began = monotonic()
        self.running += 1
        try:
            queue_ms = (began - arrived) * 1000
            yield Started(self.name, self.info.revision if self.info else "", queue_ms)
            async with aclosing(worker.read(page)) as messages:
                async for message in messages:
                    yield _event(message, queue_ms)
            self.pace.record(monotonic() - began)
        finally:
            self.running -= 1
            if worker.alive:
                self._room.release(worker)

    async def _live_worker(self, page: PageInput) -> WorkerProcess:
        """The next free worker; one that ended while it was free is passed over."""
        while not (worker := await self._room.worker(page.options.priority)).alive:
            pass
        return worker

    async def close(self) -> None:
        """End every worker."""
        self._change(EngineState.DRAINING, "The service is shutting down.")
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep_one(self) -> None:
        """Keep one worker alive: load it, replace it when it ends, give up when it never can work."""
        pause = _RESTART_FIRST_S
        while True:
            worker = WorkerProcess(self._spec)
            self._workers.add(worker)
            try:
                self._loaded(await worker.start(self._progress))
                pause = _RESTART_FIRST_S
                self._room.release(worker)
                await worker.ended()
                log.warning("A worker ended and is replaced", extra={"engine": self.name})
            except WorkerGone as error:
                pause = min(pause * 2, _RESTART_MOST_S)
                log.warning("A worker could not load", extra={"engine": self.name, "reason": error.message})
            except PeciaError as error:
                self._give_up(error)
                return
            finally:
                self._room.remove(worker)
                self._workers.discard(worker)
                await worker.close()
            await asyncio.sleep(pause)

    def _progress(self, share: float) -> None:
        self.load_progress = max(self.load_progress, share)

    def _loaded(self, info: EngineInfo) -> None:
        self.info = info
        self.load_progress = 1.0
        log.info("Engine ready", extra={"engine": self.name, "revision": info.revision})
        if self.state != EngineState.DRAINING:
            self._change(EngineState.READY, "")

    def _give_up(self, error: PeciaError) -> None:
        """This machine cannot run the engine; say why to whoever asks."""
        log.warning("Engine unavailable", extra={"engine": self.name, "reason": error.message})
        self._change(EngineState.UNAVAILABLE, error.message)
        self._room.refuse_all(Unavailable(error.message))

    def _change(self, state: EngineState, reason: str) -> None:
        self.state, self.reason = state, reason
        self.on_change()


def _event(message: frames.FromWorker, queue_ms: float) -> Event:
    match message:
        case frames.Text(delta=delta):
            return delta
        case frames.BlockRead(block=block):
            return block
        case frames.Done(recognition=recognition):
            return replace(recognition, timings=replace(recognition.timings, queue_ms=queue_ms))
        case other:
            raise WorkerGone(f"The worker said {type(other).__name__} while reading.")
