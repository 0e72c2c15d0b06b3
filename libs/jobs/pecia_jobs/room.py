"""Whether there is room for another job: what has ended makes some, what is alive never does."""

from pecia_core.errors import Overloaded
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.database import Database
from pecia_jobs.retention import Limits
from pecia_jobs.schema import job

# Seconds after which to come back: a job has to end first.
_COME_BACK_S = 30.0


async def check_room(database: Database, limits: Limits, size: int) -> None:
    """Refuse a document of `size` bytes that nothing could make room for.

    Raises:
        Overloaded: `job_limit_reached` or `storage_full`, where no job has ended that could go.
    """
    count, stored, ended = await database.reading(_totals)
    if ended:
        return
    if count >= limits.max_jobs:
        raise Overloaded(
            f"There are {count:,} jobs, as many as may be, and none has ended. Wait for one, or cancel one.",
            code="job_limit_reached",
            retry_after=_COME_BACK_S,
        )
    if stored + size > limits.max_bytes:
        raise Overloaded(
            "The documents of jobs that have not ended fill the space there is for all. Wait for one to end.",
            code="storage_full",
            retry_after=_COME_BACK_S,
        )


async def _totals(connection: AsyncConnection) -> tuple[int, int, bool]:
    sums = select(func.count(), func.coalesce(func.sum(job.c.bytes_stored), 0)).select_from(job)
    count, stored = (await connection.execute(sums)).one()
    ended = select(job.c.id).where(job.c.finished.is_not(None)).limit(1)
    return int(count), int(stored), (await connection.execute(ended)).first() is not None
