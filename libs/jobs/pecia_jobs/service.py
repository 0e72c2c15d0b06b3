"""Everything a gateway does with jobs, without a word of HTTP."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from pecia_core.errors import Conflict, NotFound, PeciaError, Unavailable

from pecia_jobs.blobs import (
    RESULT_JSON,
    RESULT_MARKDOWN,
    RESULT_TABLES,
    RESULT_TEXT,
    Blobs,
    figure_key,
    job_prefix,
)
from pecia_jobs.database import Database
from pecia_jobs.downloads import Download, Downloads
from pecia_jobs.ids import is_job_id
from pecia_jobs.model import Job, JobPage, JobState, JobStatus, NewJob
from pecia_jobs.progress import Progress, Standing
from pecia_jobs.retention import Limits
from pecia_jobs.room import check_room
from pecia_jobs.store import Counts, JobSpec, Store
from pecia_jobs.watching import watched

DOCUMENTS = {
    "markdown": RESULT_MARKDOWN,
    "text": RESULT_TEXT,
    "json": RESULT_JSON,
    "csv": RESULT_TABLES,
}
_log = logging.getLogger(__name__)
# Seconds between tries to bring the tables up to date.
_MIGRATE_AGAIN_S = 2.0


class JobService:
    """Jobs of tenants. Another tenant's job is not found, in the very words of one that never was."""

    def __init__(self, database: Database, store: Store, blobs: Blobs, limits: Limits) -> None:
        """Nothing is asked before `prepare`, or the first call. `limits` are those of the purge."""
        self._database = database
        self._limits = limits
        self._store = store
        self._blobs = blobs
        self._progress = Progress(database, store)
        self._downloads = Downloads(store, blobs)
        self._ready = asyncio.Event()

    async def prepare(self) -> None:
        """Bring the tables up to date, as soon as there is a database; calls fail until then."""
        while not self._ready.is_set():
            try:
                await self._database.migrate()
            except Unavailable:
                await asyncio.sleep(_MIGRATE_AGAIN_S)
            except Exception:  # noqa: BLE001 - whatever it is, everything but jobs works
                _log.exception("The tables of the job database cannot be brought up to date")
                await asyncio.sleep(_MIGRATE_AGAIN_S)
            else:
                self._ready.set()

    async def create(self, new: NewJob, document: Path) -> tuple[Job, bool]:
        """Store the document, then make the job. False = the same was asked before: that job.

        Raises:
            Conflict: the idempotency key was used for another request.
            Overloaded: there is no room for another job.
            Unavailable: database or blobs are away.
        """
        self.check()
        await check_room(self._database, self._limits, new.input_bytes)
        await self._blobs.put_file(new.input_key, document)
        try:
            job, made = await self._store.create(new)
        except Conflict:
            await self._drop(job_prefix(new.tenant, new.id))
            raise
        # Any other failure may come after the commit: the document stays, for the job or for the purge.
        if job.id != new.id:
            await self._drop(job_prefix(new.tenant, new.id))
        return job, made

    async def job(self, tenant: str, job_id: str) -> Job:
        """One job.

        Raises:
            NotFound: there is none of this tenant.
        """
        self.check()
        if not is_job_id(job_id):
            raise no_such_job()
        try:
            return await self._store.job(tenant, job_id)
        except NotFound:
            raise no_such_job() from None

    async def standing(self, job: Job, pages_per_second: float | None = None) -> Standing:
        """How far it is; `pages_per_second` = of all engines, for jobs that have no pace yet."""
        return await self._progress.of(job, pages_per_second)

    async def listed(
        self, tenant: str, *, status: JobStatus | None, cursor: str, limit: int
    ) -> tuple[list[Standing], str]:
        """Jobs, newest first, and the cursor of the next ones; "" = these were the last."""
        self.check()
        jobs, following = await self._store.jobs(tenant, status=status, cursor=cursor, limit=limit)
        return await self._progress.listed(jobs), following

    async def pages(self, tenant: str, job_id: str) -> list[JobPage]:
        """All pages of a job, by number. Raises as `job` does."""
        job = await self.job(tenant, job_id)
        return await self._store.pages(tenant, job.id)

    async def page(self, tenant: str, job_id: str, number: int) -> tuple[JobPage, dict[str, Any]]:
        """A page and what was read on it.

        Raises:
            NotFound: no such job or page.
            Conflict: it has not been read (`job_page_not_ready`).
        """
        job = await self.job(tenant, job_id)
        found = await self._store.pages(tenant, job.id, numbers=[number]) if number < 1 << 31 else []
        if not found:
            raise _no_such_page(number)
        result = await self._downloads.result(found[0])
        if result is None:
            raise Conflict(
                f"Page {number} has not been read: it is {found[0].state.value}. Look again when it is done.",
                code="job_page_not_ready",
            )
        return found[0], result

    async def drawn_from(self, tenant: str, job_id: str, number: int) -> JobSpec:
        """What a page is drawn from, whatever became of it.

        Raises:
            NotFound: no such job or page.
        """
        job = await self.job(tenant, job_id)
        if number >= 1 << 31 or not await self._store.pages(tenant, job.id, numbers=[number]):
            raise _no_such_page(number)
        return await self._store.spec(job.id)

    async def figure(self, tenant: str, job_id: str, number: int, name: str) -> bytes:
        """A figure of a page, as a JPEG.

        Raises:
            NotFound: no such job, page or figure.
            Conflict: the page has not been read (`job_page_not_ready`).
        """
        page, result = await self.page(tenant, job_id, number)
        if name not in {figure["name"] for figure in result.get("figures", ())}:
            raise NotFound(
                f"Page {number} has no such figure. Its result lists those it has, where the job was made "
                "with figures=true."
            )
        return await self._blobs.get(figure_key(page.result_key, name))

    def watch(self, job: Job, after: int) -> AsyncGenerator[tuple[JobPage | Job, int | None], None]:
        """What happens to a job, as `watched` tells it."""
        return watched(self._store, job, after=after)

    async def download(self, job: Job, form: str, *, partial: bool) -> Download:
        """A document in one of `DOCUMENTS`.

        Raises:
            Conflict: it is not completed, and `partial` was not asked for (`job_not_completed`).
        """
        if job.status is JobStatus.COMPLETED:
            return await self._downloads.whole(job, DOCUMENTS[form])
        if not partial:
            raise Conflict(
                f"The job is {job.status.value}, not completed: wait for it, or ask with partial=true for "
                "the pages that are there.",
                code="job_not_completed",
            )
        return await self._downloads.partial(job, DOCUMENTS[form])

    async def cancel(self, tenant: str, job_id: str) -> Job:
        """Stop it. One that has ended stays as it is. Raises as `job` does."""
        job = await self.job(tenant, job_id)
        return await self._store.cancel(tenant, job.id)

    async def delete(self, tenant: str, job_id: str) -> bool:
        """Stop a job that runs (True), or forget one that has ended with all its blobs (False)."""
        job = await self.job(tenant, job_id)
        if not job.state.terminal:
            job = await self._store.cancel(tenant, job.id)
            if job.state is JobState.CANCELLED:
                return True
            raise Conflict("The job ended just now. Ask again to delete it.", code="job_finished")
        try:
            prefixes = await self._store.forget(tenant, job.id)
        except NotFound:
            raise no_such_job() from None
        for prefix in prefixes:
            await self._drop(prefix)
        return False

    async def rerun(self, tenant: str, job_id: str, numbers: list[int] | None = None) -> Job:
        """Read pages again; None = all that failed or were cancelled.

        Raises:
            NotFound: no such job or page.
            Conflict: there is nothing to do (`job_finished`).
        """
        job = await self.job(tenant, job_id)
        if numbers and not await self._store.pages(tenant, job.id, numbers=numbers):
            raise _no_such_page(numbers[0])
        return await self._store.rerun(tenant, job.id, numbers)

    async def counts(self) -> Counts:
        """How much is going on, all tenants together."""
        self.check()
        return await self._store.counts()

    def check(self) -> None:
        """Raise Unavailable until the tables are there."""
        if not self._ready.is_set():
            raise Unavailable(
                "The job database cannot be reached yet. Try again in a moment.",
                code="store_unavailable",
                retry_after=5,
            )

    async def _drop(self, prefix: str) -> None:
        """Best effort: what stays is found by the purge."""
        try:
            await self._blobs.delete(prefix)
        except PeciaError:
            _log.warning("Blobs of a job cannot be deleted now; the purge will")


def no_such_job() -> NotFound:
    """The same for a name that is none, a job that never was, and another tenant's."""
    return NotFound("There is no such job. GET /v1/jobs lists yours; those that ended are kept for a while.")


def _no_such_page(number: int) -> NotFound:
    return NotFound(f"The job has no page {number}. GET /v1/jobs/{{id}}/pages lists those it has.")
