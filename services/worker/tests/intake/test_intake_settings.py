"""The settings of the intake under the names that people have in their task definitions."""

from typing import Any

import pytest
from pecia_core.errors import InvalidRequest
from pecia_core.settings import SeedNames, seed_names
from pecia_worker.intake import IntakeMetrics, composition
from pecia_worker.intake.keys import QueueKeys
from pecia_worker.intake_settings import (
    DocumentsSettings,
    IntakeGroups,
    IntakeSettings,
    OriginalsSettings,
    RedisSettings,
)
from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings, SettingsConfigDict

NAMES = {
    "OCR_GPU_ENABLED": ("intake", "enabled", "false", False),
    "OCR_GPU_CONCURRENCY": ("intake", "concurrency", "7", 7),
    "OCR_GPU_MAX_RETRIES": ("intake", "max_retries", "5", 5),
    "OCR_GPU_POLL_INTERVAL": ("intake", "poll_interval_ms", "250", 250),
    "OCR_GPU_STUCK_TIMEOUT": ("intake", "stuck_timeout_ms", "9000", 9000),
    "OCR_GPU_REAPER_INTERVAL": ("intake", "reaper_interval_ms", "800", 800),
    "OCR_GPU_QUEUE_KEY": ("intake", "queue_key", "q", "q"),
    "OCR_GPU_PROCESSING_KEY": ("intake", "processing_key", "p", "p"),
    "OCR_GPU_ATTEMPTS_KEY": ("intake", "attempts_key", "a", "a"),
    "OCR_GPU_PUBLISH_CHANNEL": ("intake", "publish_channel", "c", "c"),
    "REDIS_URL": ("redis", "url", "redis://r", "redis://r"),
    "REDIS_PASSWORD": ("redis", "password", "secret", "secret"),
    "DATABASE_URL": ("documents", "url", "postgresql://d", "postgresql://d"),
    "CF_R2_ENDPOINT": ("originals", "endpoint", "https://r2", "https://r2"),
    "CF_R2_BUCKET_NAME": ("originals", "bucket", "b", "b"),
    "CF_R2_ACCESS_KEY_ID": ("originals", "access_key_id", "k", "k"),
    "CF_R2_SECRET_ACCESS_KEY": ("originals", "secret_access_key", "s", "s"),
}


class Worker(BaseSettings):
    """The groups as a worker reads them."""

    model_config = SettingsConfigDict(env_prefix="PECIA_", env_nested_delimiter="__")

    redis: RedisSettings = RedisSettings()
    intake: IntakeSettings = IntakeSettings()
    originals: OriginalsSettings = OriginalsSettings()
    documents: DocumentsSettings = DocumentsSettings()

    @classmethod
    def settings_customise_sources(cls, settings_cls: Any, **named: Any) -> Any:  # type: ignore[override]
        """As the worker's own."""
        return named["init_settings"], named["env_settings"], SeedNames(settings_cls)


def test_every_older_name_is_known() -> None:
    """All of them and no others."""
    groups = (RedisSettings, IntakeSettings, OriginalsSettings, DocumentsSettings)
    assert {seed for group in groups for _, seed in seed_names(group)} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_older_names_set_what_they_always_did(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in its own unit; our own name wins over it."""
    group, field, text, expected = NAMES[name]
    monkeypatch.setenv(name, text)
    value = getattr(getattr(Worker(), group), field)
    assert getattr(value, "get_secret_value", lambda: value)() == expected


def test_without_settings_the_names_are_those_of_the_backend() -> None:
    """What the backend reads and writes, and ours beside it."""
    settings = IntakeSettings()
    assert QueueKeys.of(settings).all == (
        "filot:ocr:gpu:queue",
        "filot:ocr:gpu:processing",
        "filot:ocr:gpu:processing:timestamps",
        "filot:ocr:gpu:attempts",
        "filot:ocr:gpu:processing:pushes",
        "filot:ocr:gpu:dead",
    )
    assert settings.publish_channel == "filot:ocr:gpu:results"
    assert (settings.concurrency, settings.max_retries, settings.poll_interval_ms) == (2, 3, 1000)


@pytest.mark.parametrize("url", ["http://r", "r"])
async def test_what_is_missing_is_said(url: str) -> None:
    """An address that is none (without repeating it), and a queue without a table or a bucket."""
    shop: Any = None
    counted = IntakeMetrics(CollectorRegistry())
    with pytest.raises(InvalidRequest, match="REDIS_URL is no") as refused:
        composition.build_intake(IntakeGroups(redis={"url": f"{url}:secret@x"}), shop, counted)
    assert "secret" not in str(refused.value)
    groups = IntakeGroups(redis={"url": "redis://127.0.0.1:1"})
    with pytest.raises(InvalidRequest, match="CF_R2_BUCKET_NAME"):
        composition.build_intake(groups, shop, counted)
