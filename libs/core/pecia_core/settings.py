"""What settings classes share: lists written with commas, and the older names of fields.

The environment is read here on behalf of the `settings.py` of a service, and nowhere else.
"""

import os
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_settings import NoDecode, PydanticBaseSettingsSource


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
