"""Everything a worker tells others, put together: webhooks, reviews, and what else it is given ways for."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pecia_fetch import Poster
from pecia_jobs.database import Database
from pecia_jobs.outbox import Outbox
from pecia_jobs.reviews import REVIEW, Reviews
from pecia_jobs.settings import ReviewSettings, WebhookSettings
from pecia_jobs.webhooks import Signer, signing_keys
from prometheus_client import CollectorRegistry

from pecia_worker.delivery import DeliveryMetrics, Dispatcher, Send, WebhookSender
from pecia_worker.review import ReviewSender, review_poster

_log = logging.getLogger(__name__)


class Outgoing:
    """The ways out of one worker, and the connections behind them."""

    def __init__(self, database: Database, webhooks: WebhookSettings, review: ReviewSettings) -> None:
        """Read the signing keys, or make one where one machine is all there is; connect to nothing.

        Raises:
            ValueError: a signing key is too short.
        """
        self._database = database
        self._settings = webhooks
        self._poster = Poster(webhooks)
        self.ways: dict[str, Send] = {
            "webhook": WebhookSender(Signer(_keys(webhooks, database.folder)), self._poster).send
        }
        self._reviewer: Poster | None = None
        if review.api_url:
            self._reviewer = review_poster(review, webhooks.timeout_s)
            self.ways[REVIEW] = ReviewSender(Reviews(database), review, self._reviewer).send

    def dispatcher(
        self, registry: CollectorRegistry, worker: str, more: Mapping[str, Send] | None = None
    ) -> Dispatcher:
        """Who sees to it all; `more` = ways for other kinds."""
        ways = self.ways | dict(more or {})
        outbox, metrics = Outbox(self._database), DeliveryMetrics(registry)
        return Dispatcher(outbox, ways, self._settings, metrics, worker)

    def close(self) -> None:
        """Send nothing any more."""
        self._poster.close()
        if self._reviewer is not None:
            self._reviewer.close()


def _keys(settings: WebhookSettings, folder: Path | None) -> tuple[str, ...]:
    try:
        return signing_keys(settings, folder)
    except OSError:
        _log.exception("The file of signing keys cannot be used; no webhook can be sent")
        return ()
