"""What the environment may say."""

import pytest
from pecia_ui.__main__ import flags
from pecia_ui.settings import Settings
from pydantic import ValidationError


@pytest.mark.parametrize("name", ["API_BASE", "PECIA_API__BASE", "PECIA_API_BASE"])
@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_gateway_has_the_seeds_name_and_ours(
    monkeypatch: pytest.MonkeyPatch, name: str, ending: str
) -> None:
    """With or without /v1, as people copy it from other clients."""
    monkeypatch.setenv(name, "http://gateway:8000" + ending)
    assert Settings().api_base == "http://gateway:8000"


def test_our_name_wins_over_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have both."""
    monkeypatch.setenv("API_BASE", "http://old:8000")
    monkeypatch.setenv("PECIA_API__BASE", "http://new:8000")
    assert Settings().api_base == "http://new:8000"


def test_nothing_set_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `make up` starts it."""
    for name in ("API_BASE", "PECIA_API__BASE", "PECIA_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    assert Settings().api_base == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_BASE", "gateway:8000"),
        ("API_BASE", "ftp://gateway"),
        ("PECIA_API__TIMEOUT_S", "0"),
        ("PECIA_UI__PORT", "0"),
        ("PECIA_UI__CONFIDENCE_THRESHOLD", "80"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Not at the first click."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_key_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings end up in logs."""
    monkeypatch.setenv("PECIA_API__KEY", "pk-secret")
    assert "pk-secret" not in repr(Settings())


def test_an_upload_limit_may_be_a_fraction_as_the_gateways_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit counts in whole ones, so the gateway refuses what is between."""
    monkeypatch.setenv("PECIA_UI__MAX_DOCUMENT_MB", "0.5")
    assert "--server.maxUploadSize=1" in flags(Settings())


def test_every_field_says_why() -> None:
    """The page of settings is made of these."""
    assert all(field.description for field in Settings.model_fields.values())
