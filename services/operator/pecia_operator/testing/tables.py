"""What `kubectl get` shows: an API server makes the table, from a definition's printer columns."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pecia_operator.testing.resources import Resource

_FILTER = re.compile(r'(\w+)\[\?\(@\.(\w+)=="([^"]*)"\)\]')


def table(resource: Resource, found: Sequence[Mapping[str, Any]], version: int) -> dict[str, Any]:
    """One row an object."""
    columns = (("Name", "string", ".metadata.name"), *resource.columns)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": str(version)},
        "columnDefinitions": [
            {"name": name, "type": kind, "format": "", "description": "", "priority": 0}
            for name, kind, _ in columns
        ],
        "rows": [
            {
                "cells": [at(obj, path) for _, _, path in columns],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": obj["metadata"],
                },
            }
            for obj in found
        ],
    }


def at(obj: Any, path: str) -> Any:
    """What is at a JSON path of the few forms that definitions use; None = nothing."""
    for part in re.findall(r"\w+\[[^\]]+\]|\w+", path):
        chosen = _FILTER.fullmatch(part)
        obj = (obj or {}).get(chosen[1] if chosen else part)
        if chosen:
            obj = next((one for one in obj or () if str(one.get(chosen[2])) == chosen[3]), None)
    return obj
