"""The outbox's way out: every delivery is tried until it is taken or given up, and none holds up the others.

A delivery is leased while it is on its way. A worker that dies between sending and saying so has sent it:
when the lease ends somebody sends it again, under the same id. At least once, and never lost.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import prometheus_client
from pecia_core.errors import PeciaError
from pecia_fetch import Answer, Poster
from pecia_jobs.outbox import Delivery, Outbox
from pecia_jobs.settings import WebhookSettings
from pecia_jobs.webhooks import Signer

_log = logging.getLogger(__name__)
# What does one kind of delivery. An answer that is not good, or an error, has it tried again.
Send = Callable[[Delivery], Awaitable[Answer]]
_GONE = 410
_REDIRECTS = range(300, 400)
# Seconds between looks at what lies in the outbox, for the metrics.
_COUNT_S = 15.0
# Deliveries that take longer than their own timeout are stuck elsewhere; stopping does not wait for them.
_SLACK_S = 5.0
_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)


class DeliveryMetrics:
    """What became of deliveries, and what lies in the outbox."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        """Register everything."""
        self.tries = prometheus_client.Counter(
            "pecia_delivery_tries_total",
            "Deliveries this worker tried. outcome: delivered, failed (tried again), undeliverable, unknown.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.seconds = prometheus_client.Histogram(
            "pecia_delivery_seconds",
            "Seconds one try took.",
            ("kind",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.outbox = prometheus_client.Gauge(
            "pecia_deliveries",
            "Deliveries as the database counts them. status: pending, undeliverable.",
            ("status",),
            registry=registry,
        )
        self.in_flight = prometheus_client.Gauge(
            "pecia_deliveries_in_flight", "Deliveries this worker has on their way.", registry=registry
        )


class WebhookSender:
    """Sends callers what their jobs came to."""

    def __init__(self, signer: Signer, poster: Poster) -> None:
        """Sign, and post."""
        self._signer = signer
        self._poster = poster

    async def send(self, delivery: Delivery) -> Answer:
        """One try, with a time and so with signatures of its own, and the id of all tries.

        Raises:
            PeciaError: nothing was sent, or no answer came.
        """
        signed = self._signer.headers(delivery.tenant, delivery.id, delivery.body, time.time())
        headers = {"Content-Type": "application/json", **signed}
        return await self._poster.post(delivery.url, delivery.body, headers)


class Dispatcher:
    """Takes deliveries that are due and sees each through one try."""

    def __init__(
        self,
        outbox: Outbox,
        ways: Mapping[str, Send],
        settings: WebhookSettings,
        metrics: DeliveryMetrics,
        worker: str,
    ) -> None:
        """Nothing is sent yet.

        Args:
            outbox: where they lie.
            ways: what does each kind; other kinds are left to other workers.
            settings: how many at once, and how long one may take.
            metrics: count.
            worker: who leases.
        """
        self._outbox = outbox
        self._ways = dict(ways)
        self._settings = settings
        self._metrics = metrics
        self._worker = worker
        self._running: dict[asyncio.Task[None], str] = {}
        self._counted = -_COUNT_S

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then end what is on its way, within its own time."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._count()
                if not await self._start_some():
                    await self._rest(stopping)
            if self._running:
                await asyncio.wait(self._running, timeout=self._settings.timeout_s + _SLACK_S)
        finally:
            for task in (stopping, *self._running):
                task.cancel()
            await asyncio.gather(stopping, *self._running, return_exceptions=True)

    async def _start_some(self) -> bool:
        """Start what is due and has room. False = nothing, so that there is time to rest."""
        room = self._settings.max_concurrent - len(self._running)
        if room <= 0:
            return False
        try:
            # Few at a time: so one receiver gets no more than twice its share before it counts as busy.
            claimed = await self._claim(min(room, self._settings.per_receiver))
        except PeciaError as error:
            _log.warning("deliveries cannot be looked for", extra={"code": error.code})
            return False
        for delivery in claimed:
            task = asyncio.create_task(self._deliver(delivery))
            self._running[task] = receiver_of(delivery)
            task.add_done_callback(self._running.pop)
        self._metrics.in_flight.set(len(self._running))
        return bool(claimed)

    async def _claim(self, n: int) -> list[Delivery]:
        counted = Counter(self._running.values())
        busy = {name for name, count in counted.items() if count >= self._settings.per_receiver}
        kinds = self._ways.keys() - busy
        return await self._outbox.claim(self._worker, n, kinds, busy - self._ways.keys()) if kinds else []

    async def _rest(self, stopping: asyncio.Task[bool]) -> None:
        """Until a delivery ends and makes room, or something may have become due."""
        self._metrics.in_flight.set(len(self._running))
        await asyncio.wait(
            {stopping, *self._running}, timeout=self._settings.poll_s, return_when=asyncio.FIRST_COMPLETED
        )

    async def _deliver(self, delivery: Delivery) -> None:
        began = time.monotonic()
        try:
            outcome = await self._judged(delivery)
        except PeciaError as error:
            # The database did not hear how it went. When the lease ends it is tried again.
            _log.warning("a try could not be recorded", extra={"delivery": delivery.id, "code": error.code})
            outcome = "unknown"
        self._metrics.tries.labels(delivery.kind, outcome).inc()
        self._metrics.seconds.labels(delivery.kind).observe(time.monotonic() - began)

    async def _judged(self, delivery: Delivery) -> str:
        """Try, and record what came of it."""
        try:
            answer = await self._ways[delivery.kind](delivery)
        except PeciaError as error:
            return await self._failed(delivery, None, error.message, error.retry_after)
        except Exception:  # noqa: BLE001 - one broken delivery must not stop the others
            _log.exception("a delivery broke", extra={"delivery": delivery.id})
            return await self._failed(delivery, None, "Something broke here: the worker's log says what.")
        if answer.good:
            await self._outbox.delivered(delivery, answer.status)
            return "delivered"
        return await self._failed(delivery, answer.status, _said(answer.status), answer.retry_after)

    async def _failed(
        self, delivery: Delivery, status: int | None, message: str, retry_after: float | None = None
    ) -> str:
        gone = status == _GONE
        await self._outbox.failed(delivery, status, message, retry_after, gone=gone)
        said = {"delivery": delivery.id, "attempt": delivery.attempt, "status": status}
        if gone or delivery.last:
            _log.error("a delivery was given up", extra=said)
            return "undeliverable"
        _log.info("a delivery failed and will be tried again", extra=said)
        return "failed"

    async def _count(self) -> None:
        if time.monotonic() - self._counted < _COUNT_S:
            return
        self._counted = time.monotonic()
        try:
            counts = await self._outbox.counts()
        except PeciaError:
            return  # whoever asks next is told by the claim
        for status in ("pending", "undeliverable"):
            self._metrics.outbox.labels(status).set(counts.get(status, 0))


def receiver_of(delivery: Delivery) -> str:
    """Who it goes to: the beginning of its URL, up to host and port; its kind where it has none."""
    parts = urlsplit(delivery.url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else delivery.kind


def _said(status: int) -> str:
    if status == _GONE:
        return "The receiver wants no more: it answered 410 Gone."
    more = "; redirects are not followed: name its new address" if status in _REDIRECTS else ""
    return f"The receiver answered with status {status}{more}."
