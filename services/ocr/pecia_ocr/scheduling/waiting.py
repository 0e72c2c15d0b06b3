"""Who is next: pages waiting for a place in a worker, by priority, then by arrival."""

import asyncio
import heapq
from collections import deque
from itertools import count
from typing import Generic, TypeVar

from pecia_core.vocabulary import Priority

Worker = TypeVar("Worker")

_RANK = {Priority.PRIORITY: 0, Priority.DEFAULT: 1, Priority.FLEX: 2}


class WaitingRoom(Generic[Worker]):
    """Brings waiting pages and workers together; each worker has places for one page or more."""

    def __init__(self) -> None:
        """Nobody waits and nobody is free."""
        self._places: dict[Worker, int] = {}
        self._free: dict[Worker, int] = {}
        self._guarded: set[Worker] = set()
        self._waiting: list[tuple[int, int, asyncio.Future[Worker]]] = []
        self._suspects: deque[asyncio.Future[Worker]] = deque()
        self._arrivals = count()
        self._length = 0

    @property
    def length(self) -> int:
        """Pages that wait."""
        return self._length

    @property
    def workers(self) -> int:
        """Workers that take pages, free or not."""
        return len(self._places)

    @property
    def free(self) -> int:
        """Pages that could start at once."""
        return sum(self._free.values())

    def join(self, worker: Worker, places: int) -> None:
        """A new worker takes this many pages at once."""
        self._places[worker] = places
        self._open(worker)

    def leave(self, worker: Worker) -> None:
        """A worker takes no more pages; what it reads goes on."""
        self._places.pop(worker, None)
        self._free.pop(worker, None)
        self._guarded.discard(worker)

    async def worker(self, priority: Priority) -> Worker:
        """A place in a worker, when it is this page's turn. A cancelled wait leaves the queue at once."""
        if worker := self._emptiest():
            self._free[worker] -= 1
            return worker
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_RANK[priority], next(self._arrivals), turn))
        return await self._wait(turn)

    async def alone(self) -> Worker:
        """The next new worker, with no other page beside: for a page that may have ended one."""
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        self._suspects.append(turn)
        return await self._wait(turn)

    async def _wait(self, turn: asyncio.Future[Worker]) -> Worker:
        self._length += 1
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(turn.result())  # the turn came in the same moment: pass it on
            raise
        finally:
            self._length -= 1

    def release(self, worker: Worker) -> None:
        """A page has left this worker: the next one gets its place, or it stays free."""
        if worker in self._guarded:
            self._guarded.remove(worker)
            self._open(worker)
        elif worker in self._free:
            self._free[worker] += 1
            self._serve()

    def _open(self, worker: Worker) -> None:
        """To the next page that has to be alone, or to all."""
        while self._suspects:
            turn = self._suspects.popleft()
            if not turn.done():
                self._guarded.add(worker)
                turn.set_result(worker)
                return
        self._free[worker] = self._places[worker]
        self._serve()

    def _serve(self) -> None:
        while self._waiting and (worker := self._emptiest()):
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._free[worker] -= 1
                turn.set_result(worker)

    def _emptiest(self) -> Worker | None:
        """The worker with the most room: two pages in one process share its core."""
        worker = max(self._free, key=self._free.__getitem__, default=None)
        return worker if worker is not None and self._free[worker] else None

    def refuse_all(self, error: Exception) -> None:
        """Nobody will ever be free: tell everybody who waits."""
        waiting, self._waiting = self._waiting, []
        suspects, self._suspects = self._suspects, deque()
        for turn in (*(turn for _, _, turn in waiting), *suspects):
            if not turn.done():
                turn.set_exception(error)
