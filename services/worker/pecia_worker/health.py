"""GET /live, /ready, /health and /metrics: for probes and for who runs this. No keys."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pecia_core.errors import PeciaError
from pecia_core.telemetry import resident_bytes
from pecia_dispatch import OcrClient
from pecia_jobs.store import Counts, Store
from pecia_wall import Walls
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pecia_worker.metrics import Metrics

_MEBIBYTE = 1 << 20
# Seconds the database has to answer a probe: probes themselves give up after ten.
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Health:
    """What is told.

    Attributes:
        in_flight: pages held.
        working: whether the tables are there and pages are claimed.
        started_at: seconds since 1970.
        walls: around the processes that draw; None = nobody has looked.
    """

    store: Store
    client: OcrClient
    metrics: Metrics
    in_flight: Callable[[], int]
    working: Callable[[], bool]
    started_at: float = field(default_factory=time.time)
    walls: Walls | None = None

    def app(self) -> Starlette:
        """The four addresses."""
        answers: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/live": self._live,
            "/ready": self._ready,
            "/health": self._health,
            "/metrics": self._metrics,
        }
        return Starlette(routes=[Route(path, answer) for path, answer in answers.items()])

    async def _live(self, _request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _request: Request) -> Response:
        """Whether pages are claimed: the database answers. An ocr service that is away is waited for."""
        ready = self.working() and await self._counts() is not None
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def _health(self, _request: Request) -> Response:
        """Always 200: `status` says how it is, loading, healthy or degraded."""
        counts, fleet = await asyncio.gather(self._counts(), self.client.describe())
        well = counts is not None and fleet.pods > 0
        status = "loading" if not self.working() else "healthy" if well else "degraded"
        return JSONResponse(
            {
                "status": status,
                "database": counts is not None,
                "ocr_pods": fleet.pods,
                "pages_in_flight": self.in_flight(),
                "active_jobs": counts.active_jobs if counts else None,
                "queued_jobs": counts.queued_jobs if counts else None,
                "due_pages": counts.due_pages if counts else None,
                "put_off_pages": counts.put_off_pages if counts else None,
                "memory_mb": resident_bytes() // _MEBIBYTE,
                "uptime_seconds": int(time.time() - self.started_at),
                "walls": _told(self.walls) if self.walls else None,
            }
        )

    async def _metrics(self, _request: Request) -> Response:
        return Response(generate_latest(self.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _counts(self) -> Counts | None:
        """None = the database does not answer in time, or has no tables yet."""
        if not self.working():
            return None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self.store.counts()
        except (PeciaError, TimeoutError):
            return None


def _told(walls: Walls) -> dict[str, object]:
    """As the gateway tells its own."""
    bearing = walls.bearing
    return {
        "landlock": bearing.landlock,
        "seccomp": bearing.seccomp,
        "no_new_privs": bearing.no_new_privs,
        "missing": list(bearing.missing),
        "memory_mb": walls.memory_bytes // _MEBIBYTE,
        "cpu_seconds": walls.cpu_s,
    }
