"""Prometheus metrics that every service has, on the registry it is given."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pecia_core.errors import ERROR_CODES
from pecia_core.telemetry.memory import resident_bytes
from pecia_core.vocabulary import EngineName

# Seconds; a receipt takes one, a long page on a busy CPU a minute, the default timeout is 300.
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 15, 30, 60, 120, 300)
_CODES = frozenset(ERROR_CODES) | {"ok"}
_ENGINES = frozenset(EngineName) | {""}
# More routes than any service has: a label that grows with what callers send would fill the memory.
_MAX_ROUTES = 64
_OTHER = "other"


class RequestMetrics:
    """Counts requests and their time. Labels take few values, whatever callers send."""

    def __init__(self, registry: CollectorRegistry, service: str) -> None:
        """Register `ocr_requests_total`, `ocr_processing_seconds` and `pecia_resident_memory_bytes`.

        Args:
            registry: of this process; one per process, made by its composition root.
            service: value of the label `service`.
        """
        self._service = service
        self._routes: set[str] = set()
        self._requests = Counter(
            "ocr_requests_total",
            "Requests by outcome; code is ok or an error code of docs/API.md.",
            ("service", "route", "engine", "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "ocr_processing_seconds",
            "Seconds from a request's arrival to its last byte.",
            ("service", "route", "engine"),
            buckets=_BUCKETS,
            registry=registry,
        )
        memory = Gauge(
            "pecia_resident_memory_bytes",
            "Memory this process holds, without its children.",
            ("service",),
            registry=registry,
        )
        memory.labels(service).set_function(resident_bytes)

    def observe_call(self, route: str, code: str, seconds: float, engine: str = "") -> None:
        """Count one finished request.

        Args:
            route: the route's template or the RPC's name, never a path as sent.
            code: `ok` or a code of `pecia_core.errors`; others count as `other`.
            seconds: from arrival to the last byte.
            engine: what read the page, where that is known.
        """
        route = self._bounded(route)
        engine = engine if engine in _ENGINES else _OTHER
        code = code if code in _CODES else _OTHER
        self._requests.labels(self._service, route, engine, code).inc()
        self._seconds.labels(self._service, route, engine).observe(seconds)

    def _bounded(self, route: str) -> str:
        if route not in self._routes:
            if len(self._routes) >= _MAX_ROUTES:
                return _OTHER
            self._routes.add(route)
        return route
