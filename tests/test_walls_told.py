"""Who runs the services can see which walls hold: in /health, in Describe and in the metrics."""

from typing import Any

import grpc
import httpx
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.telemetry import show_walls
from pecia_dispatch.merging import merged
from pecia_gateway.app import create_app
from pecia_gateway.settings import Settings
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import scripted_settings
from pecia_wall import Bearing, Walls, landlock
from prometheus_client import CollectorRegistry, generate_latest

WHOLE = Bearing(7, seccomp=True, no_new_privs=True)
BARE = Bearing(0, seccomp=True, no_new_privs=True)


def described(bearing: Bearing | None, memory_bytes: int = 1 << 30) -> ocr_pb2.DescribeResponse:
    """What a pod says of itself; None = it is of a version that says nothing."""
    if bearing is None:
        return ocr_pb2.DescribeResponse(version="former")
    walls = ocr_pb2.Walls(
        landlock=bearing.landlock,
        seccomp=bearing.seccomp,
        no_new_privs=bearing.no_new_privs,
        memory_bytes=memory_bytes,
    )
    return ocr_pb2.DescribeResponse(walls=walls)


def test_the_services_of_this_machine_tell_their_walls(stack: Any) -> None:
    """Real processes, and what this kernel holds."""
    health = httpx.get(f"{stack.url}/health").json()
    told = {one["service"]: one for one in health["walls"]}
    assert set(told) == {"gateway", "ocr"}
    for one in told.values():
        assert one["landlock"] == landlock.version() > 0
        assert (one["seccomp"], one["no_new_privs"], one["missing"]) == (True, True, [])
        assert one["cpu_seconds"] == 30
    assert (told["gateway"]["memory_mb"], told["ocr"]["memory_mb"]) == (1024, 3072)
    metrics = httpx.get(f"{stack.url}/metrics").text
    assert 'pecia_wall_held{service="gateway",wall="seccomp"} 1.0' in metrics
    assert 'pecia_wall_missing{service="gateway"} 0.0' in metrics


@pytest.mark.parametrize("bearing", [WHOLE, BARE, None])
async def test_a_pod_describes_its_walls(bearing: Bearing | None) -> None:
    """Also where something is missing; and says nothing where nobody has looked."""
    server = OcrServer(scripted_settings(limits={"decode_memory_mb": 512, "decode_s": 7}), bearing)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            said = await ocr_pb2_grpc.OcrServiceStub(channel).Describe(ocr_pb2.DescribeRequest())
    finally:
        await server.stop()
    expected = Walls(bearing, 512 << 20, 7) if bearing else None
    assert merged([said]).walls == expected
    metrics = generate_latest(server.metrics_registry).decode()
    assert ("pecia_wall_held" in metrics) is bool(bearing)


def test_of_many_pods_the_weakest_counts() -> None:
    """One node without Landlock is what people have to see; a former version's silence is no answer."""
    fleet = merged([described(WHOLE), described(None), described(BARE, 2 << 30)])
    assert fleet.walls == Walls(BARE, 2 << 30, 0)
    assert merged([described(None)]).walls is None


async def test_without_a_look_nothing_is_claimed() -> None:
    """Neither of the gateway nor of pods that are away."""
    app = create_app(Settings.model_validate({"ocr": {"target": "localhost:9"}, "jobs": {"enabled": False}}))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
    async with app.router.lifespan_context(app), client:
        assert (await client.get("/health")).json()["walls"] == []
        assert "pecia_wall" not in (await client.get("/metrics")).text


async def test_what_is_missing_is_named() -> None:
    """In words, and as a number for alerts."""
    settings = Settings.model_validate({"ocr": {"target": "localhost:9"}, "jobs": {"enabled": False}})
    app = create_app(settings, BARE)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
    async with app.router.lifespan_context(app), client:
        (told,) = (await client.get("/health")).json()["walls"]
        metrics = (await client.get("/metrics")).text
    assert told["missing"] == ["rules for files (Landlock, Linux 5.13)"]
    assert 'pecia_wall_held{service="gateway",wall="landlock"} 0.0' in metrics
    assert 'pecia_wall_missing{service="gateway"} 1.0' in metrics


@pytest.mark.parametrize(("bearing", "missing"), [(WHOLE, 0), (BARE, 1), (Bearing(), 5)])
def test_metrics_count_what_is_missing(bearing: Bearing, missing: int) -> None:
    """By service: each has processes of its own."""
    registry = CollectorRegistry()
    show_walls(registry, "worker", Walls(bearing, 1, 1))
    assert registry.get_sample_value("pecia_wall_missing", {"service": "worker"}) == missing
    assert registry.get_sample_value("pecia_wall_landlock_version", {"service": "worker"}) == bearing.landlock


def test_the_weaker_of_two_has_the_holes_of_both() -> None:
    """Whichever is asked first."""
    one, other = Walls(WHOLE, 1, 30), Walls(Bearing(9, seccomp=False, no_new_privs=True), 5, 10)
    assert one.weaker(other) == other.weaker(one) == Walls(Bearing(7, no_new_privs=True), 5, 30)
