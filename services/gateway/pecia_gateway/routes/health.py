"""GET /live, /ready, /health, /metrics and /v1/capacity: for probes and for who runs this. No keys."""

from time import time

from fastapi import APIRouter, Response
from pecia_core.telemetry import resident_bytes
from pecia_dispatch import Fleet
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pecia_gateway.gateway import TheGateway
from pecia_gateway.inventory import engine_health, is_ready, reason_of, status_of, wall_health
from pecia_gateway.routes.ocr import PATHS
from pecia_gateway.schemas.health import Alive, Capacity, Health, Limits, Ready
from pecia_gateway.schemas.problem import problems

router = APIRouter(tags=["Health"], responses=problems(413, 500))
_MEBIBYTE = 1 << 20


@router.get("/live", summary="Whether the process answers")
async def live() -> Alive:
    """Always, and at once."""
    return Alive()


@router.get(
    "/ready",
    summary="Whether any engine can answer",
    responses={503: {"model": Ready, "description": "No engine can answer."}},
)
async def ready(response: Response, gateway: TheGateway) -> Ready:
    """503 until the first engine has loaded, and when none is left."""
    fleet = await gateway.client.describe()
    answer = is_ready(fleet)
    response.status_code = 200 if answer else 503
    return Ready(ready=answer, models_loaded=answer, reason=reason_of(fleet))


@router.get("/health", summary="Everything at one glance")
async def health(gateway: TheGateway) -> Health:
    """Always 200: `status` says how it is."""
    fleet = await gateway.client.describe()
    counts = await gateway.desk.counts()
    return Health(
        status=status_of(fleet),
        reason=reason_of(fleet),
        model_loaded=is_ready(fleet),
        models_loaded=is_ready(fleet),
        available_endpoints=list(PATHS),
        memory_mb=resident_bytes() // _MEBIBYTE,
        uptime_seconds=int(time() - gateway.started_at),
        active_jobs=counts.active_jobs,
        queued_jobs=counts.queued_jobs,
        engines=engine_health(fleet.engines),
        walls=wall_health(gateway.walls, fleet.walls),
    )


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(gateway: TheGateway) -> Response:
    """Requests, times and memory of this process, and the fleet behind it, in Prometheus' text format."""
    gateway.gauges.show(await gateway.client.describe())
    return Response(generate_latest(gateway.registry), headers={"content-type": CONTENT_TYPE_LATEST})


@router.get("/v1/capacity", summary="How much room there is")
async def capacity(gateway: TheGateway) -> Capacity:
    """For clients that pace themselves: slots, queue, measured rate, and the wait to expect."""
    fleet = await gateway.client.describe()
    return Capacity(
        pods=fleet.pods,
        free_slots=fleet.free_slots,
        running=fleet.running,
        queue_length=fleet.queue_length,
        pages_per_second=fleet.pages_per_second,
        estimated_wait_seconds=_wait_seconds(fleet),
        limits=Limits(max_picture_bytes=fleet.max_picture_bytes, max_picture_pixels=fleet.max_picture_pixels),
        engines=engine_health(fleet.engines),
    )


def _wait_seconds(fleet: Fleet) -> float | None:
    if fleet.free_slots:
        return 0.0
    return fleet.queue_length / fleet.pages_per_second if fleet.pages_per_second else None
