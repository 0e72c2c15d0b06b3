"""How far a job is, how fast it goes and when it may end: what a status tells beyond the job's own row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.database import Database
from pecia_jobs.model import ASSEMBLY, Job, JobState, PageSource, PageState
from pecia_jobs.reviews import Review, Reviews
from pecia_jobs.schema import page
from pecia_jobs.store import Store

# The pace of a job is that of its last pages.
_LAST_PAGES = 20
# Seconds. A page read again a day later says nothing of the days before.
_RECENT_S = 600.0
_WAITING = (JobState.SCHEDULED, JobState.QUEUED)


@dataclass(frozen=True, slots=True)
class Standing:
    """A job and what is known of its way. None = not known, or not asked for.

    Attributes:
        job: as it stands.
        failed_pages: their numbers, ascending.
        text_pages: pages whose text the PDF said itself.
        pages_per_second: over the last pages, while it runs.
        eta_seconds: until the last page has been read.
        queue_ahead: pages due before its next one, about, while it waits.
        review: what people were asked about it; None also where nobody was.
    """

    job: Job
    failed_pages: tuple[int, ...] = ()
    text_pages: int | None = None
    pages_per_second: float | None = None
    eta_seconds: float | None = None
    queue_ahead: int | None = None
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    now: float
    failed: tuple[int, ...]
    text_pages: int
    rate: float | None


class Progress:
    """Looks at the pages of jobs."""

    def __init__(self, database: Database, store: Store) -> None:
        """Ask both."""
        self._database = database
        self._store = store
        self._reviews = Reviews(database)

    async def of(self, job: Job, pages_per_second: float | None = None) -> Standing:
        """Everything; `pages_per_second` = of all engines, for jobs that have no pace of their own."""
        found = await self._database.reading(lambda connection: _found(connection, job))
        ahead = await self._store.queue_ahead(job) if job.state in _WAITING else None
        return Standing(
            job=job,
            failed_pages=found.failed,
            text_pages=found.text_pages,
            pages_per_second=found.rate,
            eta_seconds=_eta(job, found, ahead or 0, pages_per_second),
            queue_ahead=ahead,
            review=await self._reviews.of_job(job.id) if job.state.terminal else None,
        )

    async def listed(self, jobs: Sequence[Job]) -> list[Standing]:
        """For a list: only what one look tells of all of them."""
        troubled = [job.id for job in jobs if job.pages_failed]
        if not troubled:
            return [Standing(job) for job in jobs]
        failed = await self._database.reading(lambda connection: _failed(connection, troubled))
        return [Standing(job, tuple(failed.get(job.id, ()))) for job in jobs]


def _eta(job: Job, found: _Found, ahead: int, everybody: float | None) -> float | None:
    if job.state.terminal:
        return None
    left = max(job.pages_total - job.pages_done - job.pages_failed, 0)
    delay = max((job.not_before or 0.0) - found.now, 0.0)
    if found.rate:
        return delay + left / found.rate
    return delay + (left + ahead) / everybody if everybody else None


async def _found(connection: AsyncConnection, job: Job) -> _Found:
    mine = page.c.job_id == job.id
    text = select(func.count()).where(mine, page.c.source == PageSource.TEXT, page.c.state == PageState.DONE)
    return _Found(
        now=(await connection.execute(select(Database.now))).scalar_one(),
        failed=tuple((await _failed(connection, [job.id])).get(job.id, ())) if job.pages_failed else (),
        text_pages=(await connection.execute(text)).scalar_one(),
        rate=None if job.state.terminal else await _rate(connection, job),
    )


async def _failed(connection: AsyncConnection, job_ids: Collection[str]) -> dict[str, list[int]]:
    query = select(page.c.job_id, page.c.number).where(
        page.c.job_id.in_(job_ids), page.c.state == PageState.FAILED, page.c.number > ASSEMBLY
    )
    found: dict[str, list[int]] = {}
    for job_id, number in await connection.execute(query.order_by(page.c.job_id, page.c.number)):
        found.setdefault(job_id, []).append(number)
    return found


async def _rate(connection: AsyncConnection, job: Job) -> float | None:
    """Pages a second over the last pages until now: it falls by itself when nothing more comes."""
    last = (
        select(page.c.finished)
        .where(page.c.job_id == job.id, page.c.seq > 0)
        .order_by(page.c.seq.desc())
        .limit(_LAST_PAGES)
        .subquery()
    )
    recent = last.c.finished > Database.now - _RECENT_S
    query = select(func.count(), func.min(last.c.finished), Database.now).where(recent)
    count, first, now = (await connection.execute(query)).one()
    if not count:
        return None
    # The first of them took time, too: since the job began, where these are all there are.
    whole = job.started is not None and count < _LAST_PAGES and now - job.started < _RECENT_S
    began = min(job.started or first, first) if whole else first
    return float(count / (now - began)) if now > began else None
