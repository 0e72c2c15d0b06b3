"""Probes and the view for who runs this."""

from typing import Any

import pytest
from pecia.ocr.v1 import ocr_pb2
from pecia_core.vocabulary import EngineName, EngineState
from pecia_dispatch.testing import ScriptedOcr, engine_description


async def test_live_answers_at_once(gateway: Any) -> None:
    """The seed's body, word for word."""
    answer = await gateway.client.get("/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/metrics", "/v1/models", "/docs"])
async def test_monitors_may_ask_with_head(gateway: Any, path: str) -> None:
    """What GET says, without its body."""
    answer = await gateway.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_ready_when_an_engine_is(gateway: Any) -> None:
    """The seed's body, word for word."""
    answer = await gateway.client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "models_loaded": True, "reason": ""})


def engines(*states: EngineState) -> list[ocr_pb2.EngineDescription]:
    """Engines in these states."""
    names = (EngineName.RAPID, EngineName.TESSERACT, EngineName.DEEPSEEK)
    return [engine_description(name, state) for name, state in zip(names, states, strict=False)]


@pytest.mark.parametrize(
    ("states", "status", "ready"),
    [
        ([EngineState.READY], "healthy", True),
        ([EngineState.READY, EngineState.UNAVAILABLE], "healthy", True),
        ([EngineState.READY, EngineState.LOADING], "healthy", True),
        ([EngineState.READY, EngineState.FAILED], "degraded", True),
        ([EngineState.LOADING], "loading", False),
        ([EngineState.LOADING, EngineState.FAILED], "loading", False),
        ([EngineState.FAILED], "degraded", False),
        ([EngineState.DRAINING], "degraded", False),
        ([], "degraded", False),
    ],
)
async def test_health_and_ready_follow_the_engines(
    start: Any, states: list[EngineState], status: str, ready: bool
) -> None:
    """Health is always 200 with a word; ready is 503 only when no engine at all can answer."""
    async with start(ScriptedOcr(engines=engines(*states))) as gateway:
        health = await gateway.client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, status)
        assert health.json()["model_loaded"] is health.json()["models_loaded"] is ready
        answer = await gateway.client.get("/ready")
        assert answer.status_code == (200 if ready else 503)
        assert (answer.json()["ready"], answer.json()["models_loaded"]) == (ready, ready)
        assert answer.json()["reason"] == health.json()["reason"]
        assert bool(answer.json()["reason"]) is not ready


async def test_health_has_every_field_of_the_seeds(gateway: Any) -> None:
    """Three former systems read this body; each finds its fields."""
    body = (await gateway.client.get("/health")).json()
    assert body["available_endpoints"] == ["/v1/ocr/receipt", "/v1/ocr", "/v1/parse"]
    assert body["memory_mb"] > 10
    assert body["uptime_seconds"] >= 0
    assert (body["active_jobs"], body["queued_jobs"]) == (0, 0)
    (engine,) = body["engines"]
    assert (engine["name"], engine["state"], engine["models"]) == ("rapid", "ready", ["rapid", "ppocr"])


async def test_gateway_starts_without_an_ocr_service(start: Any, chat: Any) -> None:
    """It lives, says that nothing can answer, and refuses pages with a 503 that may be retried."""
    async with start(ScriptedOcr(), ocr={"target": "127.0.0.1:9"}) as gateway:
        assert (await gateway.client.get("/live")).status_code == 200
        assert (await gateway.client.get("/ready")).status_code == 503
        health = await gateway.client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert (await gateway.client.get("/v1/models")).json()["data"][0]["id"] == "auto"
        refused = await gateway.client.post("/v1/chat/completions", json=chat())
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_unavailable")
        assert refused.headers["x-should-retry"] == "true"


async def test_capacity_tells_room_and_wait(start: Any) -> None:
    """Clients that pace themselves read the wait to expect."""
    load = ocr_pb2.Load(free_slots=0, queue_length=6, running=2, pages_per_second=1.5)
    async with start(ScriptedOcr(load=load)) as gateway:
        body = (await gateway.client.get("/v1/capacity")).json()
    assert (body["pods"], body["free_slots"], body["queue_length"], body["running"]) == (1, 0, 6, 2)
    assert body["estimated_wait_seconds"] == 4.0
    assert body["limits"]["max_picture_bytes"] == 10 << 20


@pytest.mark.parametrize(
    ("states", "ready", "healthy"),
    [
        ([EngineState.READY], 1, 1),
        ([EngineState.READY, EngineState.FAILED], 1, 0),
        ([EngineState.FAILED], 0, 0),
    ],
)
async def test_metrics_say_what_the_probes_say(
    start: Any, states: list[EngineState], ready: int, healthy: int
) -> None:
    """Alerts are about /health and /ready, and Prometheus reads neither."""
    async with start(ScriptedOcr(engines=engines(*states))) as gateway:
        told = (await gateway.client.get("/metrics")).text.splitlines()
    assert {f"pecia_ready {ready:.1f}", f"pecia_healthy {healthy:.1f}", "pecia_fleet_pods 1.0"} <= set(told)


async def test_metrics_count_requests_under_the_seeds_names(gateway: Any, png: bytes) -> None:
    """Dashboards of the former system go on working."""
    await gateway.client.post("/v1/ocr", files={"file": ("a.png", png, "image/png")})
    answer = await gateway.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = 'ocr_requests_total{code="ok",engine="rapid",route="/v1/ocr",service="gateway"} 1.0'
    assert counted in answer.text
    assert "ocr_processing_seconds_bucket" in answer.text


async def test_every_answer_has_the_common_headers(gateway: Any) -> None:
    """Ids and times are on good and bad answers alike; a caller's own id comes back."""
    for path in ("/live", "/nowhere"):
        answer = await gateway.client.get(path, headers={"x-request-id": "mine-1"})
        assert answer.headers["x-request-id"] == "mine-1"
        assert answer.headers["openai-version"] == "2020-10-01"
        assert int(answer.headers["openai-processing-ms"]) >= 0


async def test_unknown_addresses_and_methods_are_openai_errors(gateway: Any) -> None:
    """What the framework refuses has the one shape as well."""
    missing = await gateway.client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert missing.json()["detail"] == missing.json()["error"]["message"]
    wrong = await gateway.client.put("/v1/ocr")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"
