"""All that leaves a worker: webhooks, questions to people, and what the queue of another backend is told."""

import logging
from contextlib import ExitStack
from pathlib import Path

from pecia_fetch import Poster
from pecia_jobs.database import Database
from pecia_jobs.ending import WEBHOOK
from pecia_jobs.outbox import Outbox
from pecia_jobs.reviews import REVIEW, VERDICT, Reviews
from pecia_jobs.settings import WebhookSettings
from pecia_jobs.webhooks import Signer, signing_keys
from prometheus_client import CollectorRegistry

from pecia_worker.delivery import DeliveryMetrics, Dispatcher, Send, WebhookSender
from pecia_worker.intake import IntakeParts
from pecia_worker.intake.making import PUBLISH
from pecia_worker.review import ReviewSender, review_poster
from pecia_worker.settings import Settings

_log = logging.getLogger(__name__)
# Seconds beside a message's own, in which a worker says what came of it. One that is gone says nothing,
# and then another sends the message again: the sooner, the better.
_TELLING_S = 10.0


class Outgoing:
    """The ways out this worker has; other kinds of deliveries are left to other workers."""

    def __init__(self, settings: Settings, database: Database, intake: IntakeParts | None) -> None:
        """Connect to nobody yet."""
        self._settings = settings
        self._database = database
        self._closing = ExitStack()
        self.ways: dict[str, Send] = {WEBHOOK: self._webhook()}
        if settings.review.api_url:
            self.ways[REVIEW] = self._review()
        if intake:
            self.ways |= {PUBLISH: intake.finisher.send, VERDICT: intake.finisher.decided}

    def dispatcher(self, registry: CollectorRegistry, worker: str) -> Dispatcher:
        """What sends everything. `worker` = this one's name in the database."""
        webhooks = self._settings.webhooks
        outbox = Outbox(self._database, webhooks.timeout_s + _TELLING_S)
        return Dispatcher(outbox, self.ways, webhooks, DeliveryMetrics(registry), worker)

    def close(self) -> None:
        """Send nothing any more."""
        self._closing.close()

    def _webhook(self) -> Send:
        poster = Poster(self._settings.webhooks)
        self._closing.callback(poster.close)
        signer = Signer(_keys(self._settings.webhooks, self._database.folder))
        return WebhookSender(signer, poster).send

    def _review(self) -> Send:
        poster = review_poster(self._settings.review, self._settings.webhooks.timeout_s)
        self._closing.callback(poster.close)
        return ReviewSender(Reviews(self._database), self._settings.review, poster).send


def _keys(settings: WebhookSettings, folder: Path | None) -> tuple[str, ...]:
    try:
        return signing_keys(settings, folder)
    except OSError as error:
        _log.error(
            "the file of signing keys cannot be used: webhooks wait", extra={"reason": type(error).__name__}
        )
        return ()
