"""What settings classes share: how they are read, lists written with commas, paths, and fields' older names.

The environment is read here on behalf of the `settings.py` of a service, and nowhere else.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsError

_Settings = TypeVar("_Settings", bound=BaseSettings)


def loaded(kind: type[_Settings]) -> _Settings:
    """The settings of this process; one that cannot be used ends it, with a line each and status 1.

    A traceback would show the values, and some of them are secret.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        lines = [f"{_variable(problem['loc'], prefix)}: {problem['msg']}." for problem in error.errors()]
    except SettingsError as error:
        lines = [f"{error}."]
    sys.exit("\n".join(["Settings in the environment cannot be used (docs/CONFIG.md):", *lines]))


def _variable(location: tuple[int | str, ...], prefix: str) -> str:
    """The name in the environment of what pydantic names by its place."""
    name = "__".join(str(part) for part in location if isinstance(part, str))
    return name if name.isupper() else f"{prefix}{name}".upper()


def _named(value: object) -> object:
    if value == "":
        raise ValueError("it is set and names no path; name one, or take the variable away")
    return value


# Path("") is the folder the process happens to stand in, which nobody means; and a keys file whose name was
# lost on its way here must not leave a service open.
NamedPath = Annotated[Path, BeforeValidator(_named)]


def _split(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


# Written as `a, b` in the environment.
CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class SeedNames(PydanticBaseSettingsSource):
    """Reads the older, unprefixed names into the groups their fields stand in."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The group's values that older names set; demanded by pydantic-settings."""
        group = field.annotation
        found = {
            name: os.environ[seed_name] for name, seed_name in seed_names(group) if seed_name in os.environ
        }
        return found, field_name, True

    def __call__(self) -> dict[str, Any]:
        """Group by group, only what is set."""
        groups = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: found for name, found in groups.items() if found}


def seed_names(group: object) -> Iterator[tuple[str, str]]:
    """Fields of a settings group that have an older name, and that name."""
    if isinstance(group, type) and issubclass(group, BaseModel):
        for name, field in group.model_fields.items():
            if isinstance(field.json_schema_extra, dict) and "seed_name" in field.json_schema_extra:
                yield name, str(field.json_schema_extra["seed_name"])
