"""What any worker does now and then for all of them. Several may do it at once."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from pecia_core.errors import Unavailable
from pecia_jobs.leases import Leases
from pecia_jobs.store import Store

from pecia_worker.metrics import Metrics
from pecia_worker.purging import Purge
from pecia_worker.settings import HousekeepingSettings

_log = logging.getLogger(__name__)


class Housekeeping:
    """Looks for what is due, makes room, and searches the blob store for what nobody needs."""

    def __init__(
        self, leases: Leases, store: Store, purge: Purge, metrics: Metrics, settings: HousekeepingSettings
    ) -> None:
        """Nothing is done yet."""
        self._leases = leases
        self._store = store
        self._purge = purge
        self._metrics = metrics
        self._settings = settings

    async def run(self) -> None:
        """Until cancelled. What cannot be done now is done the next time."""
        every = {
            self._sweep: min(self._settings.sweep_s, self._leases.lease_s / 3),
            self._purge.make_room: self._settings.purge_s,
            self._purge.find_orphans: self._settings.orphans_s,
        }
        async with asyncio.TaskGroup() as group:
            for chore, seconds in every.items():
                group.create_task(_now_and_then(chore, seconds))

    async def _sweep(self) -> None:
        swept = await self._leases.sweep()
        for what, count in asdict(swept).items():
            self._metrics.swept.labels(what).inc(count)
        for what, count in asdict(await self._store.counts()).items():
            self._metrics.queue.labels(what).set(count)
        self._metrics.longest_wait.set(await self._store.longest_wait())


async def _now_and_then(chore: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        began = time.monotonic()
        try:
            await chore()
        except Unavailable as error:
            _log.warning("a chore was put off", extra={"chore": chore.__name__, "code": error.code})
        await asyncio.sleep(max(seconds - (time.monotonic() - began), seconds / 10))
