"""The leases a worker holds, and the tasks that work on them."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pecia_jobs.model import Lease


@dataclass(slots=True)
class _Work:
    """`renewed_at` = when the database last said that the lease holds (own clock)."""

    lease: Lease
    task: asyncio.Task[None]
    renewed_at: float
    settled: bool = False


class Held:
    """By token. A page is settled when its outcome goes to the database, which alone judges it then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold nothing. `clock` gives seconds that never go back."""
        self._clock = clock
        self._works: dict[str, _Work] = {}

    def __len__(self) -> int:
        return len(self._works)

    @property
    def tokens(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self._works)

    @property
    def unsettled(self) -> frozenset[str]:
        """Those still being worked on."""
        return frozenset(token for token, work in self._works.items() if not work.settled)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What works on them."""
        return [work.task for work in self._works.values()]

    def take(self, lease: Lease, task: asyncio.Task[None]) -> None:
        """A lease just claimed, and what works on it."""
        self._works[lease.token] = _Work(lease, task, self._clock())

    def drop(self, token: str) -> None:
        """Done with it, however it ended."""
        self._works.pop(token, None)

    def settle(self, token: str) -> None:
        """Its outcome goes to the database now: nobody stops it any more."""
        if token in self._works:
            self._works[token].settled = True

    def renewed(self, tokens: Collection[str]) -> None:
        """The database has just said that these hold."""
        for token in tokens:
            if token in self._works:
                self._works[token].renewed_at = self._clock()

    def late(self, after_s: float) -> frozenset[str]:
        """Those not renewed for so many seconds: somebody else may have them soon."""
        before = self._clock() - after_s
        return frozenset(token for token, work in self._works.items() if work.renewed_at < before)

    def stop(self, tokens: Collection[str]) -> int:
        """Cancel the work on these, but for what is settled; gives how many."""
        works = [self._works[token] for token in tokens if token in self._works]
        stopped = [work for work in works if not work.settled]
        for work in stopped:
            work.task.cancel()
        return len(stopped)
