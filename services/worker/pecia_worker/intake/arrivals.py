"""From an id that was taken to a job that is ours: looked up, fetched, made."""

import logging
from contextlib import suppress

from pecia_core.errors import InvalidRequest, NotFound, PeciaError, UnsupportedDocument
from pecia_jobs.model import Job

from pecia_worker.intake.documents import Document
from pecia_worker.intake.places import Places
from pecia_worker.intake.queue import Ending, Take
from pecia_worker.intake.result import refused
from pecia_worker.intake_settings import IntakeSettings

_log = logging.getLogger(__name__)


class Arrivals:
    """Brings documents in. Every step bears repeating: whoever dies in between is replaced by anybody."""

    def __init__(self, places: Places, settings: IntakeSettings, types: tuple[str, ...] = ()) -> None:
        """Bring in documents of these types only; none named = of all."""
        self._places = places
        self._settings = settings
        self._types = types

    async def bring(self, take: Take) -> Job | None:
        """Make it a job. From then on the id stays in the processing set until the job has ended.

        Nothing comes back where nothing had to be made.

        Raises:
            PeciaError: it cannot be made one, ever (see `hopeless`) or now.
        """
        places, document_id = self._places, take.document_id
        if take.takes > 1 and await places.maker.known(document_id, take.token):
            return None
        document = await self._found(document_id)
        if document.completed:
            _log.info("a document that was read before was pushed again", extra={"document": document_id})
            await places.queue.end(take, Ending())
            return None
        self._check(document)
        await places.maker.check_room()  # before it is fetched for nothing
        await places.documents.begin(document_id)
        data = await places.originals.fetch(document.file)
        job = await places.maker.make(take, data)
        places.metrics.documents.labels("taken").inc()
        _log.info("document taken in", extra={"job": job.id, "pages": job.pages_total})
        return job

    async def refuse(self, take: Take, error: PeciaError, *, dead: bool = False) -> None:
        """Tell table and channel that it will not be read, and be done with it."""
        result = refused(take.document_id, error.message)
        with suppress(InvalidRequest):  # no row can have this id
            await self._places.documents.end(result)
        message = result.message(self._settings.publish_max_bytes)
        if await self._places.queue.end(take, Ending(message, dead=dead)):
            self._places.metrics.documents.labels("dead" if dead else "refused").inc()
        _log.warning(
            "document refused", extra={"document": take.document_id, "code": error.code, "dead": dead}
        )

    async def _found(self, document_id: str) -> Document:
        document = await self._places.documents.find(document_id)
        if document is None:
            raise NotFound("There is no document with this id: push ids of rows that are committed.")
        return document

    def _check(self, document: Document) -> None:
        if self._types and document.type not in self._types:
            raise UnsupportedDocument(
                f"Documents of the type {document.type[:80]!r} are not read here: see PECIA_DOCUMENTS__TYPES."
            )
