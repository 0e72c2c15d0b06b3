"""All that there is of a tenant: counted, deleted, and counted again, so that it can be shown what went."""

from dataclasses import dataclass
from functools import partial

from pecia_core.tenants import tenant_slug
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import changing
from pecia_jobs.blobs import Blobs, job_prefix
from pecia_jobs.database import Database
from pecia_jobs.model import PageState
from pecia_jobs.schema import job, outbox, page, page_ready, review, tenant, trash

# Whoever still sends jobs while his data goes is not waited for.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much there is of a tenant.

    Attributes:
        jobs, pages: rows, pages of jobs included.
        deliveries, reviews: webhooks and other messages, and questions to reviewers.
        blobs, blob_bytes: documents and results in the store.
        sweeping: folders of blobs that are looked at once more, since a worker was busy there.
        settings: 1 = the tenant has a row of its own, with its share and its rounds.
    """

    jobs: int = 0
    pages: int = 0
    deliveries: int = 0
    reviews: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    sweeping: int = 0
    settings: int = 0


class Erasure:
    """Deletes tenants. What is counted is what other processes see, too."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        """Over a migrated database."""
        self._database = database
        self._blobs = blobs

    async def holdings(self, name: str) -> Holdings:
        """What there is now.

        Raises:
            Unavailable: database or blobs are away.
        """
        rows = await self._database.reading(partial(_rows_of, name=name))
        sizes = [blob.size async for blob in self._blobs.list(tenant_slug(name))]
        return Holdings(**rows, blobs=len(sizes), blob_bytes=sum(sizes))

    async def erase(self, name: str) -> None:
        """Delete it all. Asked again it goes on where it was interrupted.

        Jobs that run are cancelled first. A worker that is amid a page of them may still write its result:
        such folders are emptied again by the workers' purge, a quarter of an hour later at most.

        Raises:
            Unavailable: database or blobs are away.
        """
        for _ in range(_ROUNDS):
            ids = await self._database.reading(partial(_jobs_of, name=name))
            if not ids:
                break
            for job_id in ids:
                await self._database.changing(partial(_forget, name=name, job_id=job_id))
        await self._blobs.delete(tenant_slug(name))
        await self._database.changing(partial(_forget_rest, name=name))
        await self._database.compact()


async def _jobs_of(connection: AsyncConnection, name: str) -> list[str]:
    return list((await connection.execute(select(job.c.id).where(job.c.tenant == name))).scalars())


async def _forget(connection: AsyncConnection, name: str, job_id: str) -> None:
    """One job, in the order in which everybody locks; the folder is remembered where somebody is busy."""
    row = (await connection.execute(select(job.c.finished).where(job.c.id == job_id))).first()
    if row is None:
        return
    leased = (page.c.job_id == job_id) & (page.c.state == PageState.LEASED)
    busy = await _count(connection, leased)
    if row.finished is None:
        await changing.cancel(connection, name, job_id)
    await changing.forget(connection, name, job_id)
    if not busy:
        await connection.execute(delete(trash).where(trash.c.prefix == job_prefix(name, job_id)))


async def _forget_rest(connection: AsyncConnection, name: str) -> None:
    for table in (outbox, review, page_ready):
        await connection.execute(delete(table).where(table.c.tenant == name))
    await connection.execute(delete(tenant).where(tenant.c.id == name))


async def _rows_of(connection: AsyncConnection, name: str) -> dict[str, int]:
    folders = trash.c.prefix.startswith(f"{tenant_slug(name)}/", autoescape=True)
    return {
        "jobs": await _count(connection, job.c.tenant == name),
        "pages": await _count(connection, page.c.tenant == name),
        "deliveries": await _count(connection, outbox.c.tenant == name),
        "reviews": await _count(connection, review.c.tenant == name),
        "settings": await _count(connection, tenant.c.id == name),
        "sweeping": await _count(connection, folders),
    }


async def _count(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    return int((await connection.execute(select(func.count()).where(which))).scalar_one())
