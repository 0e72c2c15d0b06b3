"""Keeps the leases of pages being worked on alive, and stops the work on those that are lost.

Each answer is judged only for the tokens it was asked about: a page claimed while a beat is under way is
not lost because the beat does not know it.
"""

import asyncio
import logging
from collections.abc import Collection

from pecia_core.errors import Unavailable
from pecia_jobs.leases import Leases

from pecia_worker.held import Held
from pecia_worker.metrics import Metrics

_log = logging.getLogger(__name__)
# Parts of a lease: renewed three times in its life, and given up a third before its end.
_BEATS = 3
_LATE = 2 / 3
_LOOKS = 12
_RETRY_S = 0.25


class Heartbeat:
    """Three loops beside the work: `beat` renews, `watch` finds cancelled pages, `guard` knows the clock."""

    def __init__(self, leases: Leases, worker: str, held: Held, metrics: Metrics) -> None:
        """Nothing beats yet. `worker` = this process's name in the database."""
        self._leases = leases
        self._worker = worker
        self._held = held
        self._metrics = metrics

    async def beat(self, lease_s: float) -> None:
        """Renew what is held, three times a lease; sooner again where the database did not answer."""
        while True:
            renewed = await self._beat_once()
            await asyncio.sleep(lease_s / _BEATS if renewed else min(_RETRY_S, lease_s / _LOOKS))

    async def _beat_once(self) -> bool:
        sent = self._held.tokens
        if not sent:
            return True
        try:
            ours = await self._leases.beat(self._worker, sent)
        except Unavailable as error:
            _log.warning("leases were not renewed", extra={"leases": len(sent), "code": error.code})
            return False
        self._held.renewed(ours)
        self._stop(sent - ours, "beat")
        return True

    async def watch(self, every_s: float) -> None:
        """Look often, without writing, whether pages are still wanted: a cancel is felt soon."""
        while True:
            await asyncio.sleep(every_s)
            asked = self._held.unsettled
            if not asked:
                continue
            try:
                still = await self._leases.held(asked)
            except Unavailable:
                continue  # `guard` decides when that has gone on for too long
            self._stop(asked - still, "held")

    async def guard(self, lease_s: float) -> None:
        """Stop pages whose lease is about to end without a word from the database."""
        while True:
            await asyncio.sleep(lease_s / _LOOKS)
            self._stop(self._held.late(lease_s * _LATE), "late")

    def _stop(self, tokens: Collection[str], why: str) -> None:
        stopped = self._held.stop(tokens)
        if stopped:
            self._metrics.leases_lost.labels(why).inc(stopped)
            _log.info("leases lost", extra={"leases": stopped, "why": why})
