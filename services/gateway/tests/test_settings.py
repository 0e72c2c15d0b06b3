"""Names of settings, old and new, and that each one is explained."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pecia_core.settings import seed_names
from pecia_gateway.settings import Settings
from pydantic import BaseModel, ValidationError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine gets into a test."""
    for group in Settings.model_fields.values():
        for _, seed_name in seed_names(group.annotation):
            monkeypatch.delenv(seed_name, raising=False)


def _fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}", field.description or ""


def test_defaults_are_those_the_documents_name() -> None:
    """Ports, limits and times that others rely on."""
    settings = Settings()
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 8000)
    assert settings.http.cors_origins == ("*",)
    assert settings.limits.max_upload_bytes == 10 * 2**20
    assert settings.limits.max_pdf_pages == 8
    assert (settings.ocr.target, settings.ocr.timeout_s) == ("127.0.0.1:50051", 300)
    assert settings.auth.keys_file is None
    assert settings.fetch.allow_http is False
    assert settings.fetch.allowed_private_hosts == ()


def test_a_default_body_holds_a_default_picture_as_base64() -> None:
    """And gRPC's own limit is never the one that answers."""
    settings = Settings()
    assert settings.limits.max_body_bytes > settings.limits.max_upload_bytes * 4 / 3
    assert settings.ocr.max_message_bytes > settings.limits.max_upload_bytes


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("MAX_UPLOAD_MB", "25", "limits.max_upload_mb", 25),
        (
            "CORS_ORIGINS",
            "https://a.example, https://b.example",
            "http.cors_origins",
            ("https://a.example", "https://b.example"),
        ),
        ("OCR_INFERENCE_TIMEOUT_S", "60", "ocr.timeout_s", 60),
        ("OCR_GPU_AUTOFALLBACK", "false", "models.gpu_autofallback", False),
        ("AI_ENABLE_STT", "1", "features.enable_stt", True),
        ("AI_ENABLE_TTS", "0", "features.enable_tts", False),
        ("PECIA_OCR__TARGET", "ocr:1,ocr:2", "ocr.target", "ocr:1,ocr:2"),
        ("PECIA_OCR__TLS__CA_FILE", "/ca.pem", "ocr.tls.ca_file", Path("/ca.pem")),
        ("PECIA_AUTH__KEYS_FILE", "/keys.toml", "auth.keys_file", Path("/keys.toml")),
        (
            "PECIA_FETCH__ALLOWED_PRIVATE_HOSTS",
            "10.0.0.0/8, files",
            "fetch.allowed_private_hosts",
            ("10.0.0.0/8", "files"),
        ),
        ("PECIA_FETCH__ALLOWED_PORTS", "[443]", "fetch.allowed_ports", (443,)),
    ],
)
def test_the_environment_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, path: str, expected: object
) -> None:
    """Under the new names, and under those of the former system."""
    monkeypatch.setenv(name, value)
    found: object = Settings()
    for step in path.split("."):
        found = getattr(found, step)
    assert found == expected


def test_a_new_name_wins_over_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And an argument over both; other fields of the group stay as they are."""
    monkeypatch.setenv("MAX_UPLOAD_MB", "1")
    monkeypatch.setenv("PECIA_LIMITS__MAX_IMAGES", "3")
    assert (Settings().limits.max_upload_mb, Settings().limits.max_images) == (1, 3)
    monkeypatch.setenv("PECIA_LIMITS__MAX_UPLOAD_MB", "2")
    assert Settings().limits.max_upload_mb == 2
    assert Settings(limits={"max_upload_mb": 4}).limits.max_upload_mb == 4


@pytest.mark.parametrize(
    ("name", "value"), [("MAX_UPLOAD_MB", "0"), ("MAX_UPLOAD_MB", "much"), ("PECIA_HTTP__PORT", "-1")]
)
def test_nonsense_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Better than a gateway with limits nobody meant."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(("name", "description"), list(_fields(Settings)))
def test_every_setting_is_explained(name: str, description: str) -> None:
    """docs/CONFIG.md is made of these."""
    assert description.endswith("."), name
    assert len(description) > 10


def test_keys_are_not_shown() -> None:
    """Settings end up in logs."""
    settings = Settings(ocr={"bearer_key": "pk_secret"})
    assert "pk_secret" not in repr(settings)
    assert "pk_secret" not in settings.model_dump_json()


def test_features_that_are_not_there_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Switched on in the former system, they do nothing here: the log says so."""
    Settings().log_unused_features()
    assert not caplog.records
    Settings(features={"enable_stt": True}).log_unused_features()
    assert "AI_ENABLE_STT" in caplog.text
