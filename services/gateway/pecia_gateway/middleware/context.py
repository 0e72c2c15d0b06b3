"""Gives every request its id, its line in the log and its metrics, and answers for handlers that break."""

import logging
import re
import time
from dataclasses import dataclass, field

from pecia_core.errors import EngineFailed
from pecia_core.telemetry import new_request_id, request_id
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pecia_gateway.middleware.refusal import Respond

_log = logging.getLogger(__name__)
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PROBES = frozenset({"/live", "/ready", "/health", "/metrics"})
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
# Nobody was left to answer; the word comes from nginx.
_CLIENT_CLOSED = 499
_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class HttpMetrics:
    """What is counted of every request. Routes are templates: a name in a path makes no series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the series."""
        labels = ("method", "route", "status")
        self.requests = Counter("pecia_http_requests_total", "Requests answered.", labels, registry=registry)
        self.seconds = Histogram(
            "pecia_http_request_seconds",
            "Seconds from a request's head to its answer's last byte.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("pecia_http_requests_in_flight", "Requests being answered.", registry=registry)
        self.body_bytes = Counter("pecia_http_body_bytes_total", "Bytes of bodies read.", registry=registry)


@dataclass(slots=True)
class _Exchange:
    """One request as the log will tell it."""

    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    body_bytes: int = 0

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.began


class RequestContext:
    """Stands around everything else that knows a request. No text, names or keys get into its log."""

    def __init__(self, app: ASGIApp, *, respond: Respond, metrics: HttpMetrics) -> None:
        """Wrap `app`."""
        self._app = app
        self._respond = respond
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = request_id.set(_incoming_id(scope) or new_request_id())
        scope.setdefault("state", {})["request_id"] = request_id.get()
        exchange = _Exchange()
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._serve(exchange, scope, receive, send)
        finally:
            self._conclude(exchange, scope)
            request_id.reset(token)

    async def _serve(self, exchange: _Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted_receive() -> Message:
            message = await receive()
            exchange.body_bytes += len(message.get("body", b""))
            return message

        async def marked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = scope["state"]["request_id"]
                headers.setdefault("openai-processing-ms", f"{exchange.elapsed_s() * 1000:.0f}")
                headers.setdefault("openai-version", "2020-10-01")
            await send(message)

        try:
            await self._app(scope, counted_receive, marked_send)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception:
            _log.exception("Unexpected failure of a request")
            if exchange.status:
                raise  # too late for an answer: the server cuts the connection
            broken = EngineFailed("Something broke in the gateway; its log has the cause under this id.")
            await self._respond(broken)(scope, receive, marked_send)

    def _conclude(self, exchange: _Exchange, scope: Scope) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        status = exchange.status or _CLIENT_CLOSED
        elapsed_s = exchange.elapsed_s()
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(elapsed_s)
        self._metrics.body_bytes.inc(exchange.body_bytes)
        _log.log(
            logging.DEBUG if route in _PROBES else logging.INFO,
            "request",
            extra={
                "method": method,
                "route": route,
                "status": status,
                "duration_ms": round(elapsed_s * 1000, 1),
                "body_bytes": exchange.body_bytes,
                "tenant": scope["state"].get("tenant", ""),
            },
        )


def _incoming_id(scope: Scope) -> str | None:
    presented = Headers(scope=scope).get("x-request-id", "")
    return presented if _SANE_REQUEST_ID.fullmatch(presented) else None
