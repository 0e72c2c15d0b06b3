"""What any worker does now and then for all of them: sweep, count, and make room."""

import asyncio
import logging
from dataclasses import asdict

from pecia_core.errors import Unavailable
from pecia_jobs.leases import Leases
from pecia_jobs.store import Store

from pecia_worker.metrics import Metrics
from pecia_worker.settings import HousekeepingSettings

_log = logging.getLogger(__name__)


class Housekeeping:
    """Any number of workers do this at the same time."""

    def __init__(
        self, leases: Leases, store: Store, metrics: Metrics, settings: HousekeepingSettings
    ) -> None:
        """Nothing is done yet."""
        self._leases = leases
        self._store = store
        self._metrics = metrics
        self._settings = settings

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._once()
            await asyncio.sleep(min(self._settings.sweep_s, self._leases.lease_s / 3))

    async def _once(self) -> None:
        try:
            swept = await self._leases.sweep()
            counts = await self._store.counts()
        except Unavailable as error:
            _log.warning("nothing was swept", extra={"code": error.code})
            return
        for what, count in asdict(swept).items():
            self._metrics.swept.labels(what).inc(count)
        for what, count in asdict(counts).items():
            self._metrics.queue.labels(what).set(count)
