"""A job as it changes, for who watches: each page as it ends, then the job. Nothing twice, no gap."""

import asyncio
from collections.abc import AsyncGenerator

from pecia_core.errors import Unavailable

from pecia_jobs.model import Job, JobPage
from pecia_jobs.store import Store

# Seconds between looks while the database is away.
_AWAY_S = 1.0
Seen = tuple[JobPage | Job, int | None]


async def watched(store: Store, job: Job, *, after: int, every_s: float) -> AsyncGenerator[Seen, None]:
    """What can be seen of a job, with its number, until it has ended.

    A page's number is its own `seq`. A job's is None while pages with lower ones are still to come: whoever
    goes on after the last number he saw misses nothing and hears nothing twice.

    Args:
        store: asked again and again: for one row, and for pages only when there are new ones.
        job: as it stands; told first.
        after: the last number seen before; 0 = none.
        every_s: seconds between looks.

    Raises:
        NotFound: it was deleted.
    """
    seen = min(max(after, 0), job.seq)
    yield job, (job.seq if seen == job.seq else None)
    while True:
        try:
            news = [] if job.seq == seen else await store.pages(job.tenant, job.id, after_seq=seen)
        except Unavailable:
            await asyncio.sleep(_AWAY_S)
            continue
        for page in news:
            if page.seq <= job.seq:  # what ended since we looked at the job comes with the next look
                yield page, page.seq
        if job.seq > seen:
            yield job, job.seq
            seen = job.seq
        if job.state.terminal:
            return
        job = await _next(store, job, every_s)


async def _next(store: Store, job: Job, every_s: float) -> Job:
    while True:
        await asyncio.sleep(every_s)
        try:
            return await store.job(job.tenant, job.id)
        except Unavailable:
            await asyncio.sleep(_AWAY_S)
