"""Keeps one of a lane's workers alive: loads it, replaces it when it ends or has grown too large."""

import asyncio
import contextlib
import logging
from time import monotonic
from typing import Protocol

from pecia_core.errors import PeciaError

from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling.inbox import WorkerGone
from pecia_ocr.scheduling.process import EngineSpec, WorkerProcess, to_the_end
from pecia_ocr.scheduling.waiting import WaitingRoom

log = logging.getLogger(__name__)

_RESTART_FIRST_S = 0.1
_RESTART_MOST_S = 30.0
# Seconds: somebody's page may take minutes, and a worker that has grown may end meanwhile.
_TURN_S = 30.0
_LOOK_S = 0.1
_FAREWELL_S = 10.0


class Owner(Protocol):
    """Who is told how the loading goes."""

    def progress(self, share: float) -> None:
        """A model has loaded this far, 0.0 to 1.0."""
        ...

    def loaded(self, info: EngineInfo) -> None:
        """A worker is ready."""
        ...

    def missed(self) -> None:
        """A worker has ended, and another one is being loaded."""
        ...

    def give_up(self, error: PeciaError) -> None:
        """This machine cannot run the engine."""
        ...


class Keeper:
    """One place in a lane, filled with a living worker whenever that is possible."""

    def __init__(
        self,
        spec: EngineSpec,
        room: WaitingRoom[WorkerProcess],
        owner: Owner,
        outgoing: set[WorkerProcess],
    ) -> None:
        """Nothing is started yet.

        Args:
            spec: what each worker becomes.
            room: where workers are given pages.
            owner: is told how the loading goes.
            outgoing: of the lane: its workers that are being replaced for their size. It is one at a time, so
                that memory holds what it was planned to: a process more than places, which has read nothing.
        """
        self._spec = spec
        self._room = room
        self._owner = owner
        self._outgoing = outgoing
        self._workers: set[WorkerProcess] = set()
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> list[int]:
        """Processes of this place: one, or two while one takes over from the other."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def run(self) -> None:
        """Until cancelled, or until the engine turns out not to run here."""
        try:
            worker = await self._load()
            while worker:
                self._room.join(worker, self._spec.pages_at_once)
                worker = await self._successor(worker)
        finally:
            for retiring in self._retiring:
                retiring.cancel()
            # A service may end while an engine is being given up: its process is buried all the same.
            await to_the_end(self._end_all())

    async def _end_all(self) -> None:
        for worker in list(self._workers):
            await self._end(worker)

    async def _successor(self, worker: WorkerProcess) -> WorkerProcess | None:
        """Wait until a worker's time is over; give the one that comes after it."""
        await worker.spent()
        await self._turn_of(worker)
        if not worker.alive:
            self._room.leave(worker)
            await self._end(worker)
            log.warning("A worker ended and is replaced", extra={"engine": self._spec.name})
            self._owner.missed()
            await asyncio.sleep(_RESTART_FIRST_S)
            return await self._load()
        log.info(
            "A worker has grown and is replaced",
            extra={"engine": self._spec.name, "resident_mb": worker.resident_bytes >> 20},
        )
        self._outgoing.add(worker)
        successor = await self._load()  # warm before the other one takes no more pages
        self._room.leave(worker)
        retiring = asyncio.create_task(self._retire(worker))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        # Its successor begins when it is gone: a few seconds of one place, for what both would hold together.
        await asyncio.wait({retiring}, timeout=_FAREWELL_S)
        return successor

    async def _turn_of(self, worker: WorkerProcess) -> None:
        """Wait until no other worker of the lane is being replaced; not for long, nor if this one ends."""
        latest = monotonic() + _TURN_S
        while worker.alive and self._outgoing and monotonic() < latest:  # noqa: ASYNC110 - three things at once
            await asyncio.sleep(_LOOK_S)

    async def _retire(self, worker: WorkerProcess) -> None:
        await worker.idle()
        await self._end(worker)

    async def _end(self, worker: WorkerProcess) -> None:
        self._room.leave(worker)
        await worker.close()
        self._workers.discard(worker)
        self._outgoing.discard(worker)

    async def _load(self) -> WorkerProcess | None:
        """A loaded worker, after as many attempts as it takes; None = never."""
        pause = _RESTART_FIRST_S
        while True:
            worker = WorkerProcess(self._spec)
            self._workers.add(worker)
            with contextlib.suppress(_Failed):
                return await self._start(worker)
            await self._end(worker)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RESTART_MOST_S)

    async def _start(self, worker: WorkerProcess) -> WorkerProcess | None:
        try:
            self._owner.loaded(await worker.start(self._owner.progress))
        except WorkerGone as error:
            log.warning("A worker could not load", extra={"engine": self._spec.name, "reason": error.message})
            raise _Failed from error
        except PeciaError as error:
            self._owner.give_up(error)
            return None
        return worker


class _Failed(Exception):
    """This attempt came to nothing."""
