"""A process that sends what is due and never hears that it did: to be killed between the two."""

import asyncio
import sys

from pecia_fetch import Poster
from pecia_jobs.database import Database
from pecia_jobs.outbox import Delivery, Outbox
from pecia_jobs.settings import WebhookSettings
from pecia_jobs.webhooks import Signer
from pecia_worker.delivery import DeliveryMetrics, Dispatcher, WebhookSender
from prometheus_client import CollectorRegistry


class _Stuck(Outbox):
    """The receiver has said yes; the database hears of it never."""

    async def delivered(self, delivery: Delivery, status: int | None = None) -> bool:  # noqa: ARG002 - as the real one
        print("sent", flush=True)  # noqa: T201 - tells the test
        await asyncio.sleep(3600)
        return False


async def main(url: str, key: str, lease_s: float) -> None:
    """Send until killed."""
    settings = WebhookSettings(
        allow_http=True, allowed_private_hosts=("127.0.0.1/32",), signing_keys=(key,), poll_s=0.05
    )
    send = WebhookSender(Signer((key,)), Poster(settings)).send
    box = _Stuck(Database(url), lease_s)
    metrics = DeliveryMetrics(CollectorRegistry())
    await Dispatcher(box, {"webhook": send}, settings, metrics, "doomed").run(asyncio.Event())


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
