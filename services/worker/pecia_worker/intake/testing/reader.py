"""A worker's other half for tests: reads pages, puts jobs together, makes deliveries; without an engine."""

import asyncio
from collections.abc import Callable

from pecia_core.errors import PeciaError
from pecia_jobs.blobs import RESULT_TEXT, page_key, result_key
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, JobState, Lease, PageResult, PageSource
from pecia_jobs.outbox import Outbox
from pecia_jobs.store import JobSpec

from pecia_worker.intake.finisher import Finisher
from pecia_worker.intake.making import Shop

_PAUSE_S = 0.05


def say(job: JobSpec) -> str:
    """What every page says."""
    return f"text of {job.reference}"


class Reader:
    """Reads by calling a function. Use `run` beside an `Intake`."""

    def __init__(
        self,
        leases: Leases,
        shop: Shop,
        outbox: Outbox,
        finisher: Finisher,
        read: Callable[[JobSpec], str] = say,
    ) -> None:
        """`read` gives the text of a page, or raises a PeciaError: permanent where no retry can help."""
        self._leases = leases
        self._shop = shop
        self._outbox = outbox
        self._ways = {"publish": finisher.send, "verdict": finisher.decided}
        self._read = read

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._leases.sweep()
            for lease in await self._leases.claim("reader", 4):
                await self._work(lease)
            for delivery in await self._outbox.claim("reader", 4):
                try:
                    await self._ways[delivery.kind](delivery)
                except PeciaError as error:
                    await self._outbox.failed(delivery, None, error.message, retry_after=_PAUSE_S)
                else:
                    await self._outbox.delivered(delivery)
            await asyncio.sleep(_PAUSE_S)

    async def _work(self, lease: Lease) -> None:
        job = await self._shop.store.spec(lease.job_id)
        if lease.number == ASSEMBLY:
            await self._assemble(lease, job)
            return
        try:
            text = self._read(job)
        except PeciaError as error:
            permanent = not error.retryable
            await self._leases.fail(lease, error.code, error.message, permanent=permanent, retry_after=0.0)
            return
        key = page_key(lease.tenant, lease.job_id, lease.number, lease.token)
        await self._shop.blobs.put(key, text.encode())
        page = PageResult(lease, key, "", len(text), PageSource.OCR, engine="rapid", confidence=0.9)
        await self._leases.record([page])

    async def _assemble(self, lease: Lease, job: JobSpec) -> None:
        pages = await self._shop.store.pages(job.tenant, lease.job_id)
        if any(page.result_key for page in pages):
            text = say(job).encode()
            await self._shop.blobs.put(result_key(job.tenant, lease.job_id, RESULT_TEXT), text)
            await self._leases.finish(lease, JobState.DONE, stored=len(text))
        else:
            await self._leases.finish(lease, JobState.FAILED, error=pages[0].error)
