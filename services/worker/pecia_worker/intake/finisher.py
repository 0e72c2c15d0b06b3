"""What follows the end of a job that came from the queue: its row, its place in Redis, the message."""

import json
import logging
from dataclasses import dataclass
from time import time

from pecia_core import errors
from pecia_core.errors import NotFound, Unavailable
from pecia_fetch import Answer
from pecia_jobs.blobs import RESULT_TEXT, Blobs, result_key
from pecia_jobs.ending import delivery_id
from pecia_jobs.model import Job, JobPage, JobState
from pecia_jobs.outbox import Delivery
from pecia_jobs.reviews import Reviews, ReviewStatus
from pecia_jobs.store import Store

from pecia_worker.intake.making import PUBLISH
from pecia_worker.intake.places import Places
from pecia_worker.intake.queue import Ending, Take
from pecia_worker.intake.result import REVIEW, DocumentResult, result_of
from pecia_worker.intake_settings import IntakeSettings

_log = logging.getLogger(__name__)
_DONE = 204
# What no further try will change: the document is at fault, or who asked for it.
HOPELESS = (
    errors.InvalidRequest,
    errors.InvalidDocument,
    errors.UnsupportedDocument,
    errors.TooLarge,
    errors.NotFound,
)


@dataclass(frozen=True, slots=True)
class Results:
    """Where results of jobs are, and who is asked when they are doubtful (None = nobody)."""

    store: Store
    blobs: Blobs
    reviews: Reviews | None = None


class Finisher:
    """Ends documents, in an order in which a crash costs a repeated message at most.

    The job's result is stored and its end committed before. Then: the row of the table, once; the
    question to the review service, once; and in one step the clean-up in Redis and the message.
    """

    def __init__(self, results: Results, places: Places, settings: IntakeSettings) -> None:
        """Nothing is asked yet."""
        self._results = results
        self._places = places
        self._settings = settings

    async def send(self, delivery: Delivery) -> Answer:
        """Do what the outbox's row `publish` stands for.

        Raises:
            PeciaError: not now; try again.
        """
        job = await self._results.store.job(delivery.tenant, delivery.job_id)
        await self.finish(job, again=delivery.id != delivery_id(job.id, PUBLISH, 1))
        return Answer(_DONE)

    async def decided(self, delivery: Delivery) -> Answer:
        """Do what the row `verdict` stands for: what people said of a document. Raises as `send`."""
        job = await self._results.store.job(delivery.tenant, delivery.job_id)
        if job.reference:
            approved = json.loads(delivery.body)["decision"] == ReviewStatus.APPROVED
            await self._places.documents.decide(job.reference, approved=approved)
        return Answer(_DONE)

    async def finish(self, job: Job, *, again: bool = False) -> None:
        """End the document of a job that has ended. May be done again, by anybody. Raises as `send`.

        Args:
            job: at its end.
            again: pages of it were read again since it ended for the first time.
        """
        away: Unavailable | None = None
        token = ""
        try:
            token = await self._places.queue.current(job.reference)
        except Unavailable as error:
            away = error  # the table need not wait for Redis
        if token and await self._places.maker.known(job.reference, token) != job.id:
            _log.info("the document was pushed again meanwhile", extra={"job": job.id})
            return
        pages = await self._results.store.pages(job.tenant, job.id)
        result = await self._written(job, pages, again=again)
        if away:
            raise away
        await self._tell(job, pages, token, result)

    async def _written(self, job: Job, pages: list[JobPage], *, again: bool) -> DocumentResult:
        """The result, in the table, and with people where it is doubtful."""
        result = result_of(job, pages, await self._text(job), self._settings.review_below)
        await self._places.documents.end(result, again=again)
        if self._results.reviews and result.outcome == REVIEW:
            facts = {"reasons": [result.error]} if result.error else {}
            await self._results.reviews.ask(job, result.score, facts)
        return result

    async def _tell(self, job: Job, pages: list[JobPage], token: str, result: DocumentResult) -> None:
        message = result.message(self._settings.publish_max_bytes)
        dead = job.state is JobState.FAILED and not hopeless(pages)
        ended = Take(job.reference.encode(), token, 0)
        if await self._places.queue.end(ended, Ending(message, dead=dead)):
            self._count(job, pages, result, dead=dead)

    def _count(self, job: Job, pages: list[JobPage], result: DocumentResult, *, dead: bool) -> None:
        """Once a document: whoever told its end."""
        metrics = self._places.metrics
        metrics.documents.labels("dead" if dead else "completed" if result.success else "failed").inc()
        if any(page.fallback_from for page in pages):
            metrics.fallbacks.inc()
        metrics.lag.observe(max(0.0, time() - job.created))

    async def _text(self, job: Job) -> str:
        if job.state not in {JobState.DONE, JobState.PARTIAL}:
            return ""
        try:
            data = await self._results.blobs.get(result_key(job.tenant, job.id, RESULT_TEXT))
        except NotFound:
            return ""
        return data.decode(errors="replace")


def hopeless(pages: list[JobPage]) -> bool:
    """Whether every page that failed is at fault itself."""
    codes = [page.error_code for page in pages if page.error_code]
    return bool(codes) and all(
        issubclass(errors.ERROR_CODES.get(code, errors.EngineFailed), HOPELESS) for code in codes
    )
