"""Jobs for those who own them: made, looked at, cancelled, run again, forgotten."""

from collections.abc import Collection
from dataclasses import dataclass, field

from pecia_core.vocabulary import Priority
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import changing, listing, making
from pecia_jobs.database import Database
from pecia_jobs.model import Job, JobOptions, JobPage, JobState, JobStatus, NewJob, PageState
from pecia_jobs.rows import PRIORITIES, job_from, options_from_text, page_from
from pecia_jobs.schema import job, page, page_ready

# More are not counted: for an estimate it makes no difference.
_COUNTED_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a worker needs to know of a job. `password` is empty once the job has ended."""

    tenant: str
    filename: str
    media_type: str
    input_key: str
    input_bytes: int
    document_pages: int
    options: JobOptions
    priority: Priority
    webhook_url: str
    reference: str
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Counts:
    """The whole queue: jobs being read or put together, jobs that wait, pages due (10,000 = or more).

    `put_off_pages`: that wait for their next try, or for their model to be loaded (10,000 = or more).
    """

    active_jobs: int
    queued_jobs: int
    due_pages: int
    put_off_pages: int = 0


class Store:
    """The owners' side of the jobs. Another tenant's job is not found."""

    def __init__(self, database: Database, max_age_s: float | None = None) -> None:
        """Keep jobs in `database`, which is migrated; `max_age_s` seconds after its end one may be purged."""
        self._database = database
        self._max_age_s = max_age_s

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        """Make a job. False = the same was asked before under its idempotency key: that job.

        Raises:
            Conflict: the idempotency key was used for something else.
        """
        row, made = await self._database.changing(lambda connection: making.make(connection, new))
        return job_from(row, self._max_age_s), made

    async def job(self, tenant: str, job_id: str) -> Job:
        """One job as it stands.

        Raises:
            NotFound: no such job of this tenant.
        """
        row = await self._database.reading(lambda connection: listing.find(connection, tenant, job_id))
        return job_from(row, self._max_age_s)

    async def pages(
        self,
        tenant: str,
        job_id: str,
        *,
        after_seq: int | None = None,
        numbers: Collection[int] | None = None,
    ) -> list[JobPage]:
        """Pages of a job, by number; with `after_seq` those that ended after it, in the order they ended.

        Raises:
            NotFound: no such job of this tenant.
        """
        chosen = listing.Chosen(after_seq, None if numbers is None else tuple(numbers))
        rows = await self._database.reading(
            lambda connection: listing.pages(connection, tenant, job_id, chosen)
        )
        return [page_from(row) for row in rows]

    async def jobs(
        self, tenant: str, *, status: JobStatus | None = None, cursor: str = "", limit: int = 100
    ) -> tuple[list[Job], str]:
        """Jobs of a tenant, newest first, and the cursor of the next ones; "" = these were the last.

        Raises:
            InvalidRequest: the cursor is none of ours.
        """
        rows, following = await self._database.reading(
            lambda connection: listing.jobs(connection, tenant, status, listing.parsed(cursor), limit)
        )
        return [job_from(row, self._max_age_s) for row in rows], following

    async def cancel(self, tenant: str, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is.

        Raises:
            NotFound: no such job of this tenant.
        """
        row = await self._database.changing(lambda connection: changing.cancel(connection, tenant, job_id))
        return job_from(row, self._max_age_s)

    async def rerun(self, tenant: str, job_id: str, numbers: Collection[int] | None = None) -> Job:
        """Read pages again; None = all that failed or were cancelled.

        Raises:
            NotFound: no such job of this tenant, or no such page.
            Conflict: there is nothing to read again, or the document's password is forgotten.
        """
        row = await self._database.changing(
            lambda connection: changing.rerun(connection, tenant, job_id, numbers)
        )
        return job_from(row, self._max_age_s)

    async def forget(self, tenant: str, job_id: str) -> list[str]:
        """Delete an ended job; gives the prefixes of its blobs, which the caller deletes.

        They are remembered until `Retention.emptied` says that it has happened.

        Raises:
            NotFound: no such job of this tenant.
            Conflict: it has not ended.
        """
        return await self._database.changing(lambda connection: changing.forget(connection, tenant, job_id))

    async def spec(self, job_id: str) -> JobSpec:
        """For the workers, who know no tenants.

        Raises:
            NotFound: the job is gone.
        """
        row = await self._database.reading(lambda connection: listing.find(connection, None, job_id))
        return JobSpec(
            tenant=row.tenant,
            filename=row.filename,
            media_type=row.media_type,
            input_key=row.input_key,
            input_bytes=row.input_bytes,
            document_pages=row.document_pages,
            options=options_from_text(row.options),
            priority=PRIORITIES[row.priority],
            webhook_url=row.webhook_url,
            reference=row.reference,
            password=row.password or "",
        )

    async def counts(self) -> Counts:
        """How much is going on."""
        return await self._database.reading(_counts)

    async def longest_wait(self) -> float:
        """Seconds that page has waited which waits longest of those at the head of a line; 0.0 = none waits.

        A line is a tenant's, of one priority: the next page of each is looked at, not all there are.
        """
        return await self._database.reading(listing.longest_wait)

    async def queue_ahead(self, job: Job) -> int:
        """Pages that are due before this job's next one, about; 10,000 at most."""
        return await self._database.reading(lambda connection: listing.ahead(connection, job))

    async def set_tenant(self, tenant: str, *, max_running: int | None = None, weight: float = 1.0) -> None:
        """Say how many pages of a tenant may run at once (None = what workers are set to) and its share."""
        if weight <= 0:
            raise ValueError("a weight is above 0")
        await self._database.changing(
            lambda connection: making.set_tenant(connection, tenant, max_running, weight)
        )


async def _counts(connection: AsyncConnection) -> Counts:
    query = select(job.c.state, func.count()).where(job.c.finished.is_(None)).group_by(job.c.state)
    states = {row[0]: int(row[1]) for row in await connection.execute(query)}
    due = select(page_ready.c.page_id)
    put_off = select(page.c.id).where(page.c.due.is_not(None), page.c.state == PageState.WAITING)
    return Counts(
        active_jobs=states.get(JobState.RUNNING, 0) + states.get(JobState.FINALIZING, 0),
        queued_jobs=states.get(JobState.QUEUED, 0) + states.get(JobState.SCHEDULED, 0),
        due_pages=await _counted(connection, due),
        put_off_pages=await _counted(connection, put_off),
    )


async def _counted(connection: AsyncConnection, rows: Select[tuple[int]]) -> int:
    some = rows.limit(_COUNTED_PAGES).subquery()
    return int((await connection.execute(select(func.count()).select_from(some))).scalar_one())
