"""All pages being read in this process, and which of them others may come aboard."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from pecia_core.recognition import Event

from pecia_ocr.cache.flight import Flight


class Flights:
    """Finds the flight that reads a page already, or starts one."""

    def __init__(self, timeout_s: float) -> None:
        """None yet; each may take `timeout_s` seconds."""
        self._timeout_s = timeout_s
        self._open: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Pages being read."""
        return len(self._tasks)

    def find(self, name: str) -> Flight | None:
        """The flight of this name, if one can be boarded."""
        return self._open.get(name)

    def start(self, name: str, events: AsyncGenerator[Event, None], release: Callable[[], None]) -> Flight:
        """Begin to read.

        Args:
            name: under which others find it; empty = it is for one caller alone.
            events: the reading.
            release: called when nothing of it is left running.
        """
        flight = Flight(events, self._timeout_s, lambda flight: self._close(name, flight))
        if name:
            self._open[name] = flight
        self._tasks.add(flight.task)
        flight.task.add_done_callback(lambda task: self._over(task, release))
        return flight

    async def close(self) -> None:
        """Give up what still flies."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close(self, name: str, flight: Flight) -> None:
        if self._open.get(name) is flight:
            del self._open[name]

    def _over(self, task: asyncio.Task[None], release: Callable[[], None]) -> None:
        self._tasks.discard(task)
        release()
