"""What the routes of jobs stand on: the jobs themselves, and who may send and follow how much at once."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from pecia_core.errors import NotFound, PeciaError, Unavailable
from pecia_jobs.blobs import Blobs, open_blobs
from pecia_jobs.database import Database, open_database
from pecia_jobs.erasure import Erasure
from pecia_jobs.key_uses import KeyUses
from pecia_jobs.retention import Limits
from pecia_jobs.service import JobService
from pecia_jobs.store import Counts, Store

from pecia_gateway.key_use import KeyUse
from pecia_gateway.outside import Outside
from pecia_gateway.pictures import PagePictures
from pecia_gateway.places import Places
from pecia_gateway.settings import JobSettings, Settings

_log = logging.getLogger(__name__)
_MIB = 1 << 20
_Part = TypeVar("_Part")
_HOUR_S = 3600.0
# Seconds a request waits for a database that is away: its caller is told, and comes back.
_PATIENCE_S = 5.0
# Seconds for a probe's look at the database, and how long it counts.
_PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What jobs need. None = there is no place for them."""

    service: JobService | None
    outside: Outside | None
    erasure: Erasure | None
    pictures: PagePictures


class Desk:
    """Where jobs are handed in and asked for."""

    def __init__(self, parts: "Parts", settings: JobSettings) -> None:
        """Nobody is there yet."""
        self._parts = parts
        self._settings = settings
        self._counts = Counts(0, 0, 0)
        self._counted_at = -_PROBE_S
        self.uploads = Places("uploads", each=settings.tenant_uploads, together=settings.uploads)
        self.streams = Places("streams of events", each=settings.tenant_streams, together=settings.streams)

    @property
    def service(self) -> JobService:
        """The jobs.

        Raises:
            NotFound: they are switched off here.
            Unavailable: there is no place for them.
        """
        return self._there(self._parts.service)

    @property
    def outside(self) -> Outside:
        """Who is told of jobs, and who answers. Raises as `service`."""
        return self._there(self._parts.outside)

    @property
    def erasure(self) -> Erasure:
        """Deletes all of a tenant. Raises as `service`, and Unavailable until there are tables."""
        self.service.check()
        return self._there(self._parts.erasure)

    @property
    def pictures(self) -> PagePictures:
        """Pages to look at."""
        return self._parts.pictures

    async def counts(self) -> Counts:
        """How much is going on, as known a second ago; as last known while the database is away."""
        if monotonic() - self._counted_at >= _PROBE_S:
            self._counted_at = monotonic()
            with suppress(TimeoutError, PeciaError):
                async with asyncio.timeout(_PROBE_S):
                    self._counts = await self.service.counts()
        return self._counts

    def _there(self, part: _Part | None) -> _Part:
        if not self._settings.enabled:
            raise NotFound("This service takes no jobs: its operator has switched them off.")
        if part is None:
            raise Unavailable(
                "There is no place for the job database: its operator finds the reason in the log.",
                code="store_unavailable",
            )
        return part


class JobStores:
    """The database and the blobs behind a desk, for as long as the gateway runs."""

    def __init__(self, settings: Settings) -> None:
        """Connect to nothing yet."""
        self._database = _database(settings)
        blobs = open_blobs(settings.blobs)
        self._service = _service(settings, self._database, blobs) if self._database else None
        outside = Outside(self._database, settings) if self._database else None
        erasure = Erasure(self._database, blobs) if self._database else None
        self._pictures = PagePictures(
            blobs, settings.pictures, settings.jobs.upload_folder, wall_required=settings.wall.required
        )
        self.desk = Desk(Parts(self._service, outside, erasure, self._pictures), settings.jobs)
        self._preparing: asyncio.Task[None] | None = None

    def key_use(self) -> KeyUse:
        """When keys were used; kept as soon as there are tables."""
        if self._database is None or self._service is None:
            return KeyUse(None)
        return KeyUse(KeyUses(self._database), self._service.check)

    def open(self) -> None:
        """Prepare the database in the background: nothing else waits for it."""
        self._pictures.open()
        if self._service is not None:
            self._preparing = asyncio.create_task(self._service.prepare())

    async def close(self) -> None:
        """Hang up."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self._pictures.close()
        if self._database is not None:
            await self._database.close()


def _database(settings: Settings) -> Database | None:
    if not settings.jobs.enabled:
        return None
    patience_s = min(settings.database.patience_s, _PATIENCE_S)
    try:
        return open_database(settings.database.model_copy(update={"patience_s": patience_s}))
    except OSError:
        _log.exception("The folder of the job database cannot be made; everything but jobs works")
        return None


def _service(settings: Settings, database: Database, blobs: Blobs) -> JobService:
    jobs = settings.jobs
    limits = Limits(int(jobs.max_storage_mb * _MIB), jobs.max_count, jobs.max_age_hours * _HOUR_S)
    store = Store(database, max_age_s=limits.max_age_s)
    return JobService(database, store, blobs, limits)
