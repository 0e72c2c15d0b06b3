"""Settings, ports and log events that people know from the systems before pecia keep their names."""

import json
import logging
import re
from functools import reduce
from typing import Any

import httpx
import pytest
from pecia_gateway.settings import Settings as GatewaySettings
from pecia_ocr.settings import Settings as OcrSettings
from pecia_ui.settings import Settings as UiSettings
from pydantic_settings import BaseSettings

NAMES: list[tuple[type[BaseSettings], str, str, str, object]] = [
    (GatewaySettings, "CORS_ORIGINS", "http://a.example", "http.cors_origins", ("http://a.example",)),
    (GatewaySettings, "MAX_UPLOAD_MB", "3", "limits.max_upload_bytes", 3 * 1024 * 1024),
    (GatewaySettings, "OCR_INFERENCE_TIMEOUT_S", "42", "ocr.timeout_s", 42.0),
    (GatewaySettings, "OCR_GPU_AUTOFALLBACK", "false", "models.gpu_autofallback", False),
    (GatewaySettings, "AI_ENABLE_STT", "1", "features.enable_stt", True),
    (GatewaySettings, "AI_ENABLE_TTS", "1", "features.enable_tts", True),
    (OcrSettings, "OCR_INFERENCE_TIMEOUT_S", "42", "inference_timeout_s", 42.0),
    (OcrSettings, "OCR_GPU_AUTOFALLBACK", "false", "gpu_autofallback", False),
    (OcrSettings, "OCR_GPU_ENABLED", "false", "gpu_enabled", False),
    (UiSettings, "API_BASE", "http://gateway:8000", "api_base", "http://gateway:8000"),
]


@pytest.mark.parametrize(("settings", "name", "value", "field", "expected"), NAMES)
def test_former_names_set_what_they_always_did(
    settings: type[BaseSettings],
    name: str,
    value: str,
    field: str,
    expected: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The value arrives in the field that took its place, and differs from the default."""
    monkeypatch.delenv(name, raising=False)
    default: Any = reduce(getattr, field.split("."), settings())
    monkeypatch.setenv(name, value)
    assert reduce(getattr, field.split("."), settings()) == expected != default


def test_defaults_are_the_documented_ones() -> None:
    """Gateway on 0.0.0.0:8000 for all origins, page on 0.0.0.0:8501, gRPC on 50051, 10 MB, 300 s."""
    gateway, ocr, page = GatewaySettings(), OcrSettings(), UiSettings()
    assert (gateway.http.host, gateway.http.port, gateway.http.cors_origins) == ("0.0.0.0", 8000, ("*",))
    assert (page.host, page.port) == ("0.0.0.0", 8501)
    assert ocr.grpc.port == 50051
    assert gateway.limits.max_upload_mb == 10
    assert gateway.ocr.timeout_s == ocr.inference_timeout_s == 300


def test_features_that_are_not_part_of_pecia_warn(caplog: pytest.LogCaptureFixture) -> None:
    """A switch that does nothing is said to do nothing, when it is on."""
    GatewaySettings.model_validate({}).log_unused_features()
    assert not caplog.records
    GatewaySettings.model_validate({"features": {"enable_stt": True}}).log_unused_features()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "AI_ENABLE_STT" in caplog.text


def test_log_events_are_word_for_word(stack: Any, receipt: bytes) -> None:
    """Loading, readiness, time and memory stand in the log as searches and alerts know them."""
    answer = httpx.post(f"{stack.url}/v1/ocr", files={"file": ("page.png", receipt)}, timeout=60)
    assert answer.status_code == 200
    events = [json.loads(line)["event"] for line in stack.log.read_text().splitlines()]
    for event in ("Loading PaddleOCR models...", "Models loaded successfully"):
        assert event in events
    for pattern in (r"OCR processing time: \d+ms", r"Memory usage: \d+MB"):
        assert any(re.fullmatch(pattern, event) for event in events)
