"""Who is told of jobs, and who answers: deliveries, the secrets that sign them, what reviewers decide."""

import logging
from pathlib import Path

from pecia_core.errors import NotFound
from pecia_jobs.database import Database
from pecia_jobs.outbox import DeliveryRecord, Outbox
from pecia_jobs.reviews import Reviews
from pecia_jobs.settings import WebhookSettings
from pecia_jobs.webhooks import Signer, signing_keys

from pecia_gateway.callbacks import Callbacks
from pecia_gateway.settings import Settings

_log = logging.getLogger(__name__)


class Outside:
    """What the routes need for it. Another tenant's deliveries are not found."""

    def __init__(self, database: Database, settings: Settings) -> None:
        """Read the signing keys, or make one where one machine is all there is."""
        self._outbox = Outbox(database)
        self._signer = Signer(_keys(settings.webhooks, database.folder))
        self.callbacks = Callbacks(Reviews(database), settings.review.signature_secret)

    async def deliveries(self, tenant: str, job_id: str) -> list[DeliveryRecord]:
        """All of a job, the oldest first. Raises NotFound."""
        return await self._outbox.deliveries(tenant, job_id)

    async def replay(self, tenant: str, job_id: str, delivery_id: str) -> DeliveryRecord:
        """Have one sent again, with all its tries. Raises NotFound."""
        known = {record.id for record in await self.deliveries(tenant, job_id)}
        if delivery_id not in known:
            raise NotFound("There is no such delivery: see the list of deliveries of the job.")
        return await self._outbox.replay(tenant, delivery_id)

    def secrets(self, tenant: str) -> list[str]:
        """What a tenant checks signatures with, newest first. Raises InvalidRequest where there is no key."""
        return self._signer.secrets(tenant)

    def check_signing(self) -> None:
        """Raises InvalidRequest where no webhook can be signed: better said now than when the job ends."""
        self._signer.secrets("")


def _keys(settings: WebhookSettings, folder: Path | None) -> tuple[str, ...]:
    try:
        return signing_keys(settings, folder)
    except OSError:
        _log.exception("The file of signing keys cannot be used; everything but webhooks works")
        return ()
