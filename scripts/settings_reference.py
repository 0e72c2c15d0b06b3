"""Writes docs/CONFIG.md from the services' settings classes: python scripts/settings_reference.py FILE."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pecia_client.settings import ClientSettings
from pecia_gateway.settings import Settings as GatewaySettings
from pecia_ocr.settings import Settings as OcrSettings
from pecia_operator.settings import Settings as OperatorSettings
from pecia_standalone.settings import Settings as StandaloneSettings
from pecia_ui.settings import Settings as UiSettings
from pecia_worker.settings import Settings as WorkerSettings
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, NoDecode

_PARTS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("The ocr service (`python -m pecia_ocr`)", OcrSettings),
    ("The gateway (`python -m pecia_gateway`)", GatewaySettings),
    ("The worker (`python -m pecia_worker`)", WorkerSettings),
    ("The page (`python -m pecia_ui`)", UiSettings),
    ("The operator (`python -m pecia_operator`)", OperatorSettings),
    ("Everything on one machine (`make up`, `pecia up`)", StandaloneSettings),
    ("The `pecia` command", ClientSettings),
)
_INTRODUCTION = """# Settings

<!-- Made by `make docs` from the settings classes; edit those. -->

Every setting is an environment variable. Names are `PECIA_<GROUP>__<FIELD>`; older names that work as
well stand in brackets. Lists are separated by commas, or written as JSON where their default is. Each
process reads its settings once, when it starts, and refuses to start with one that makes no sense. Files
of keys and certificates are read again when they change.
"""
_BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


@dataclass(frozen=True)
class Setting:
    """One row."""

    names: tuple[str, ...]
    default: str
    description: str


def settings_of(part: type[BaseSettings]) -> Iterator[tuple[str, list[Setting]]]:
    """The groups of a process: what each is about, and its settings."""
    prefix = str(part.model_config.get("env_prefix") or "")
    own: list[Setting] = []
    for name, field in part.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield (group.__doc__ or "").strip(), list(_rows(group, f"{prefix}{name}__"))
        else:
            own.append(_setting(name, field, prefix))
    if own:
        yield "", own


def _rows(group: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, field in group.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _rows(inner, f"{prefix}{name}__")
        else:
            yield _setting(name, field, prefix)


def _setting(name: str, field: FieldInfo, prefix: str) -> Setting:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    alias = field.validation_alias
    names = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
    names = names or [f"{prefix}{name}".upper()]
    names += [str(extra["seed_name"])] if "seed_name" in extra else []
    names.sort(key=lambda name: not name.startswith("PECIA_"))
    return Setting(tuple(names), _default(field, extra), f"{field.description}{_bounds(field)}")


def _default(field: FieldInfo, extra: dict[str, Any]) -> str:
    if "default_text" in extra:
        return str(extra["default_text"])
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is PydanticUndefined:
        return "must be set"
    if isinstance(value, tuple):
        value = ",".join(map(str, value)) if NoDecode in field.metadata else json.dumps(value)
    if isinstance(value, bool):
        value = str(value).lower()
    return "empty" if value in (None, "") else f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    said = [
        f"{words} {getattr(rule, name)}"
        for rule in field.metadata
        for name, words in _BOUNDS
        if hasattr(rule, name)
    ]
    return f" ({', '.join(said)})" if said else ""


def document() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for title, part in _PARTS:
        parts.append(f"## {title}\n")
        for about, settings in settings_of(part):
            parts.append(f"{about}\n" if about else "")
            parts.append("| name | default | what |\n|---|---|---|")
            parts.extend(_row(setting) for setting in settings)
            parts.append("")
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def _row(setting: Setting) -> str:
    first, *others = setting.names
    also = f" ({', '.join(f'`{name}`' for name in others)})" if others else ""
    return f"| `{first}`{also} | {setting.default} | {setting.description.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
