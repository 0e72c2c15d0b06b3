"""Finds ids whose worker is gone, and documents whose end was not told."""

import logging

from pecia_core.errors import EngineFailed, Unavailable

from pecia_worker.intake.arrivals import Arrivals
from pecia_worker.intake.finisher import Finisher
from pecia_worker.intake.places import Places
from pecia_worker.intake.queue import Stale
from pecia_worker.intake_settings import IntakeSettings

_log = logging.getLogger(__name__)


class Reaper:
    """Looks through the processing set. Any number of workers may do so at once."""

    def __init__(
        self, places: Places, arrivals: Arrivals, finisher: Finisher, settings: IntakeSettings
    ) -> None:
        """Look at nothing yet."""
        self._places = places
        self._arrivals = arrivals
        self._finisher = finisher
        self._settings = settings

    async def sweep(self) -> int:
        """Look once. Answers how many ids went back to the list or to the dead.

        Raises:
            Unavailable: not now.
        """
        silent_s = self._settings.stuck_timeout_ms / 1000
        moved = 0
        async for stale in self._places.queue.stale(silent_s):
            try:
                moved += await self._settle(stale)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001 - one must not hold up the others
                _log.exception("an id could not be settled", extra={"document": stale.take.document_id})
        return moved

    async def _settle(self, stale: Stale) -> bool:
        take = stale.take
        job_id = await self._places.maker.known(take.document_id, take.token) if take.token else None
        if job_id:
            await self._places.queue.beat([take])  # it is safe in SQL, which has its own patience
            job = await self._places.maker.job(job_id)
            if job.state.terminal:
                await self._finisher.finish(job)
            return False
        if take.takes < self._settings.max_retries:
            _log.warning(
                "an id goes back to the list", extra={"document": take.document_id, "takes": take.takes}
            )
            returned = await self._places.queue.give_back(stale)
            self._places.metrics.documents.labels("returned").inc(returned)
            return returned
        given_up = EngineFailed(
            f"Given up after {take.takes} tries that ended without a word: look at the worker's log, then "
            " put the id back with `python -m pecia_worker requeue --dead`."
        )
        await self._arrivals.refuse(take, given_up, dead=True)
        return True
