"""What goes when there is too much or it is too old: ended jobs, the oldest first. A live job never goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import changing
from pecia_jobs.database import Database
from pecia_jobs.expressions import Now
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import job, outbox, review, trash

# Looked at in one go; the next purge goes on.
_BATCH = 100
# Whoever lost a lease may still write a blob; his job's folder is emptied once more after this.
_LATE_S = 900.0
# Deliveries of jobs that are gone stay readable for nobody: kept this long for people who look.
_OLD_DELIVERY_S = 7 * 86400.0
# The same of reviews that were decided; one that was not is waited for a good while longer.
_OLD_REVIEW_S, _ASKED_IN_VAIN_S = 7 * 86400.0, 90 * 86400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of all jobs together: bytes of blobs, jobs, and seconds after a job's end."""

    max_bytes: int
    max_jobs: int
    max_age_s: float


class Retention:
    """Keeps the jobs of one database within limits."""

    def __init__(self, database: Database, limits: Limits) -> None:
        """Over a migrated database."""
        self._database = database
        self._limits = limits

    async def purge(self) -> list[str]:
        """Forget jobs beyond the limits; gives the prefixes of blobs nobody needs.

        The caller deletes them and says `emptied`. Until then they are given again: nothing is left behind
        by a crash.
        """
        for row in await self.candidates():
            await self._database.changing(partial(_forget, row=row))
        await self._database.changing(_forget_deliveries)
        await self._database.changing(_forget_reviews)
        return await self._database.reading(_trash)

    async def candidates(self) -> list[AnyRow]:
        """Ended jobs that have to go, the oldest first, some at a time: rows with `id` and `tenant`."""
        count, stored, ended, now = await self._database.reading(_totals)
        chosen = []
        for row in ended:
            over = count > self._limits.max_jobs or stored > self._limits.max_bytes
            if not over and row.finished > now - self._limits.max_age_s:
                break
            chosen.append(row)
            count, stored = count - 1, stored - row.bytes_stored
        return chosen

    async def emptied(self, prefix: str) -> None:
        """The blobs with this prefix are deleted; they are looked for once more later."""
        await self._database.changing(partial(_emptied, prefix=prefix))


async def _totals(connection: AsyncConnection) -> tuple[int, int, Sequence[AnyRow], float]:
    sums = select(func.count(), func.coalesce(func.sum(job.c.bytes_stored), 0), Now()).select_from(job)
    count, stored, now = (await connection.execute(sums)).one()
    ended = (
        select(job.c.id, job.c.tenant, job.c.finished, job.c.bytes_stored)
        .where(job.c.finished.is_not(None))
        .order_by(job.c.finished)
        .limit(_BATCH)
    )
    return int(count), int(stored), (await connection.execute(ended)).all(), float(now)


async def _forget(connection: AsyncConnection, row: AnyRow) -> None:
    """Unless somebody has run it again or deleted it meanwhile."""
    query = select(job.c.id).where(job.c.id == row.id, job.c.finished == row.finished).with_for_update()
    if (await connection.execute(query)).first() is not None:
        await changing.forget(connection, row.tenant, row.id)


async def _forget_deliveries(connection: AsyncConnection) -> None:
    gone = ~select(job.c.id).where(job.c.id == outbox.c.job_id).exists()
    old = (outbox.c.created < Now() - _OLD_DELIVERY_S) & outbox.c.due.is_(None)
    await connection.execute(delete(outbox).where(old, gone))


async def _forget_reviews(connection: AsyncConnection) -> None:
    gone = ~select(job.c.id).where(job.c.id == review.c.job_id).exists()
    decided = review.c.decided < Now() - _OLD_REVIEW_S
    in_vain = review.c.decided.is_(None) & (review.c.created < Now() - _ASKED_IN_VAIN_S)
    await connection.execute(delete(review).where(decided | in_vain, gone))


async def _trash(connection: AsyncConnection) -> list[str]:
    query = select(trash.c.prefix).where(trash.c.due <= Now()).order_by(trash.c.due).limit(_BATCH)
    return list((await connection.execute(query)).scalars())


async def _emptied(connection: AsyncConnection, prefix: str) -> None:
    mine = trash.c.prefix == prefix
    again = update(trash).where(mine, ~trash.c.once).values(once=True, due=Now() + _LATE_S)
    if (await connection.execute(again)).rowcount == 0:
        await connection.execute(delete(trash).where(mine, trash.c.due <= Now()))
