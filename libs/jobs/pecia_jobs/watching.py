"""A job as it changes, for who watches: each page as it ends, then the job. Nothing twice, no gap."""

import asyncio
from collections.abc import AsyncGenerator

from pecia_core.errors import Unavailable

from pecia_jobs.model import Job, JobPage
from pecia_jobs.store import Store

# Seconds between looks while something happens, and while nothing does or the database is away.
_BUSY_S, _QUIET_S = 0.25, 1.0
_SLOWER = 1.25
Seen = tuple[JobPage | Job, int | None]


async def watched(store: Store, job: Job, *, after: int) -> AsyncGenerator[Seen, None]:
    """What can be seen of a job, with its number, until it has ended.

    A page's number is its own `seq`. A job's is None while pages with lower ones are still to come: whoever
    goes on after the last number he saw misses nothing and hears nothing twice.

    Args:
        store: asked again and again: for one row, and for pages only when there are new ones.
        job: as it stands; told first.
        after: the last number seen before; 0 = none.

    Raises:
        NotFound: it was deleted.
    """
    news = await _news(store, job, min(max(after, 0), job.seq))
    yield job, (None if news else job.seq)
    while True:
        for page in news:
            yield page, page.seq
        if news:
            yield job, job.seq
        if job.state.terminal:
            return
        seen = job.seq
        job = await _changed(store, job)
        news = await _news(store, job, seen)
        if not news:
            yield job, job.seq


async def _news(store: Store, job: Job, seen: int) -> list[JobPage]:
    """Pages that ended after `seen`. What ended since the job was looked at comes with the next look."""
    while job.seq > seen:
        try:
            pages = await store.pages(job.tenant, job.id, after_seq=seen)
        except Unavailable:
            await asyncio.sleep(_QUIET_S)
        else:
            return [page for page in pages if page.seq <= job.seq]
    return []


async def _changed(store: Store, job: Job) -> Job:
    """The job when there is something new; the longer there is not, the less often it is looked for."""
    pause_s = _BUSY_S
    while True:
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * _SLOWER, _QUIET_S)
        try:
            found = await store.job(job.tenant, job.id)
        except Unavailable:
            continue
        if found.seq > job.seq:
            return found
