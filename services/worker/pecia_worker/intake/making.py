"""Jobs made of fetched documents: one for each push of the backend, however often it is taken."""

import time
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from pecia_core import tiff
from pecia_core.errors import TooLarge
from pecia_core.kinds import PDF, TIFF, kind_of
from pecia_core.pdf import PdfRenderer
from pecia_core.recognition import RecognizeOptions
from pecia_core.upload import Upload
from pecia_jobs import schema
from pecia_jobs.blobs import Blobs, input_key, job_prefix
from pecia_jobs.database import Database
from pecia_jobs.ids import new_job_id
from pecia_jobs.model import Job, JobOptions, NewJob
from pecia_jobs.retention import Limits
from pecia_jobs.reviews import Reviews
from pecia_jobs.room import check_room
from pecia_jobs.store import Store
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_worker.intake.queue import Take
from pecia_worker.intake_settings import IntakeSettings

_MOST_PAGES = 10_000
# The delivery that ends a document for the backend it came from.
PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Shop:
    """What jobs are made with and within, and who is asked when one is doubtful (None = nobody)."""

    database: Database
    store: Store
    blobs: Blobs
    renderer: PdfRenderer
    limits: Limits
    reviews: Reviews | None = None


class JobMaker:
    """Makes jobs of documents, and knows those it has made."""

    def __init__(self, shop: Shop, settings: IntakeSettings) -> None:
        """All jobs belong to the tenant the settings name."""
        self._shop = shop
        self._settings = settings

    async def known(self, document_id: str, token: str) -> str | None:
        """The job of this push; None = there is none yet."""
        query = sa.select(schema.job.c.id).where(
            schema.job.c.tenant == self._settings.tenant,
            schema.job.c.idempotency_key == _key(document_id, token),
        )

        async def work(connection: AsyncConnection) -> str | None:
            return (await connection.execute(query)).scalar()

        return await self._shop.database.reading(work)

    async def job(self, job_id: str) -> Job:
        """One of them as it stands. Raises NotFound."""
        return await self._shop.store.job(self._settings.tenant, job_id)

    async def check_room(self, size: int = 0) -> None:
        """Refuse a document of `size` bytes there is no room for, in the words that REST has for it.

        Raises:
            Overloaded: `job_limit_reached` or `storage_full`; later there may be.
            Unavailable: the database is away.
        """
        await check_room(self._shop.database, self._shop.limits, size)

    async def make(self, take: Take, data: bytes) -> Job:
        """The job of this push, committed.

        Raises:
            InvalidDocument, UnsupportedDocument, TooLarge: nothing that pecia reads.
            Unavailable, Overloaded: not now.
        """
        kind = kind_of(Upload(data, ""), param="file")
        count = await self._pages(kind, data)
        new = self._new(take, kind, data, count)
        await self.check_room(len(data))
        await self._shop.blobs.put(new.input_key, data)
        # Where the answer is lost, the job may have been made: its document stays.
        job, made = await self._shop.store.create(new)
        if not made:
            await self._shop.blobs.delete(job_prefix(new.tenant, new.id))
        return job

    async def _pages(self, kind: str, data: bytes) -> int:
        if kind == PDF:
            count = await self._shop.renderer.page_count(data)
        else:
            count = len(tiff.pages(data, _MOST_PAGES)) if kind == TIFF else 1
        if count > _MOST_PAGES:
            raise TooLarge(
                f"The document has more than {_MOST_PAGES} pages: send it in parts.", code="request_too_large"
            )
        return count

    def _new(self, take: Take, kind: str, data: bytes, count: int) -> NewJob:
        tenant = self._settings.tenant
        job_id = new_job_id(take.document_id, time.time())
        key = _key(take.document_id, take.token)
        recognize = RecognizeOptions(model=self._settings.model, languages=self._settings.languages)
        return NewJob(
            id=job_id,
            tenant=tenant,
            filename=take.document_id,
            media_type=kind,
            input_key=input_key(tenant, job_id, kind),
            input_sha256=sha256(data).hexdigest(),
            input_bytes=len(data),
            page_numbers=tuple(range(1, count + 1)),
            document_pages=count,
            options=JobOptions(recognize=recognize),
            idempotency_key=key,
            # The push decides, not what lay in the bucket when it was fetched.
            idempotency_digest=sha256(key.encode()).hexdigest(),
            reference=take.document_id,
            notices=(PUBLISH,),
        )


def _key(document_id: str, token: str) -> str:
    return f"filot:{document_id}:{token}"
