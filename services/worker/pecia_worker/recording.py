"""Results on their way into the database, several in one transaction."""

import asyncio
from dataclasses import dataclass

from pecia_jobs.leases import Leases
from pecia_jobs.model import PageResult

from pecia_worker.patience import Patience

# What comes within so many seconds goes together: less than a page notices, more than a commit takes.
_GATHER_S = 0.004
_MOST = 64


@dataclass(slots=True)
class _Waiting:
    result: PageResult
    recorded: asyncio.Future[bool]


class Recorder:
    """Hands results over in the order they come, and says of each whether it counts."""

    def __init__(self, leases: Leases, patience: Patience) -> None:
        """Nothing is recorded before `run`. `patience` outlives every outage: nothing read is thrown away."""
        self._leases = leases
        self._patience = patience
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def record(self, result: PageResult) -> bool:
        """Whether the page is recorded as this result; False = its lease was lost before.

        Whoever stops waiting for the answer does not know whether it was.
        """
        waiting = _Waiting(result, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        return await waiting.recorded

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            batch = await self._batch()
            results = [waiting.result for waiting in batch]
            recorded = await self._patience.through("database", lambda: self._leases.record(results))  # noqa: B023 - awaited here
            for waiting in batch:
                if not waiting.recorded.done():
                    waiting.recorded.set_result(waiting.result.lease.token in recorded)

    async def _batch(self) -> list[_Waiting]:
        batch = [await self._queue.get()]
        await asyncio.sleep(_GATHER_S)
        while len(batch) < _MOST and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch
