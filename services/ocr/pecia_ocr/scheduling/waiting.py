"""Who is next: pages waiting for a worker, by priority, then by arrival."""

import asyncio
import heapq
from itertools import count
from typing import Generic, TypeVar

from pecia_core.vocabulary import Priority

Worker = TypeVar("Worker")

_RANK = {Priority.PRIORITY: 0, Priority.DEFAULT: 1, Priority.FLEX: 2}


class WaitingRoom(Generic[Worker]):
    """Brings waiting pages and free workers together."""

    def __init__(self) -> None:
        """Nobody waits and nobody is free."""
        self._free: list[Worker] = []
        self._waiting: list[tuple[int, int, asyncio.Future[Worker]]] = []
        self._arrivals = count()
        self._length = 0

    @property
    def length(self) -> int:
        """Pages that wait."""
        return self._length

    @property
    def free(self) -> int:
        """Workers that could start a page at once."""
        return len(self._free)

    async def worker(self, priority: Priority) -> Worker:
        """A free worker, when it is this page's turn. A cancelled wait leaves the queue at once."""
        if self._free:
            return self._free.pop()
        turn: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (_RANK[priority], next(self._arrivals), turn))
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
        """This worker is free: the next page gets it, or it waits."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(worker)
                return
        self._free.append(worker)

    def remove(self, worker: Worker) -> None:
        """This worker is gone, if it was free."""
        if worker in self._free:
            self._free.remove(worker)

    def refuse_all(self, error: Exception) -> None:
        """Nobody will ever be free: tell everybody who waits."""
        waiting, self._waiting = self._waiting, []
        for _, _, turn in waiting:
            if not turn.done():
                turn.set_exception(error)
