"""Copies of JSON. `copy.deepcopy` takes five times as long, and an API server copies all day."""

import json
from typing import TypeVar, cast

_T = TypeVar("_T")


def copied(thing: _T) -> _T:
    """The same, sharing nothing."""
    return cast("_T", json.loads(json.dumps(thing)))
