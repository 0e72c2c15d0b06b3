"""How settings are read: paths that name nothing, and what is said where a setting cannot be used."""

from pathlib import Path

import pytest
from pecia_core.settings import NamedPath, loaded
from pydantic import AliasChoices, BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseModel):
    """Some settings."""

    file: NamedPath | None = None
    folder: NamedPath = Path("/tmp")  # noqa: S108 - nothing is written there
    wait_s: float = Field(1.0, gt=0)
    numbers: tuple[int, ...] = ()


class Settings(BaseSettings):
    """As a service has them."""

    model_config = SettingsConfigDict(env_prefix="PECIA_TRIED__", env_nested_delimiter="__")

    group: Group = Field(default_factory=Group)
    model_path: NamedPath | None = Field(None, validation_alias=AliasChoices("TRIED_PATH", "OTHER_PATH"))
    secret: SecretStr = Field(SecretStr(""), max_length=3)


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """What is said on standard error when the process ends."""
    with pytest.raises(SystemExit) as ended:
        loaded(Settings)
    assert ended.value.code not in {0, None}, "a text is status 1"
    assert capsys.readouterr().out == ""
    return str(ended.value.code)


def test_a_path_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """In groups, and by other names."""
    monkeypatch.setenv("PECIA_TRIED__GROUP__FILE", "keys.toml")
    monkeypatch.setenv("TRIED_PATH", "/models")
    settings = loaded(Settings)
    assert (settings.group.file, settings.model_path) == (Path("keys.toml"), Path("/models"))


def test_a_path_nobody_named_is_none() -> None:
    """That is how a feature is left off."""
    assert loaded(Settings).group.file is None


@pytest.mark.parametrize(
    "name", ["PECIA_TRIED__GROUP__FILE", "PECIA_TRIED__GROUP__FOLDER", "TRIED_PATH"], ids=str.lower
)
def test_an_empty_path_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be the folder the process stands in; where a name was lost, nothing may be open for it."""
    monkeypatch.setenv(name, "")
    said = refused(capsys)
    assert f"{name}: Value error, it is set and names no path" in said
    assert len(said.splitlines()) == 2


def test_every_setting_that_cannot_be_used_is_named_and_none_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line each; a password that was put into the wrong variable stays out of logs."""
    monkeypatch.setenv("PECIA_TRIED__GROUP__WAIT_S", "hunter2")
    monkeypatch.setenv("PECIA_TRIED__SECRET", "hunter2")
    said = refused(capsys)
    assert "hunter2" not in said
    assert "PECIA_TRIED__GROUP__WAIT_S: Input should be a valid number" in said
    assert "PECIA_TRIED__SECRET: " in said


def test_a_list_that_is_no_json_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pydantic-settings has another error for it."""
    monkeypatch.setenv("PECIA_TRIED__GROUP__NUMBERS", "[1, hunter2")
    said = refused(capsys)
    assert "group" in said
    assert "hunter2" not in said
