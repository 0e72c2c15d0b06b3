"""What an API server does to an object before it keeps it: defaults, pruning, schema, CEL rules."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import celpy
import jsonschema
from celpy.adapter import json_to_cel

from pecia_operator.testing.copying import copied

Schema = Mapping[str, Any]
_SPOKEN: dict[str, list[str]] = {}
# The schema of a definition says nothing of these; the API server knows them.
_OWN = ("apiVersion", "kind", "metadata")


def fill_in(schema: Schema, value: Any) -> None:
    """Put defaults where something is missing."""
    if isinstance(value, list):
        for entry in value:
            fill_in(schema.get("items", {}), entry)
    if not isinstance(value, dict):
        return
    for name, inner in schema.get("properties", {}).items():
        if name not in value and "default" in inner:
            value[name] = copied(inner["default"])
        if name in value and name not in _OWN:
            fill_in(inner, value[name])


def prune(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Take away what the schema does not know; tells what."""
    if schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema:
        return []
    gone: list[str] = []
    if isinstance(value, list):
        for entry in value:
            gone += prune(schema.get("items", {}), entry, path)
    elif isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        for name in [name for name in value if name not in known and name not in _OWN]:
            del value[name]
            gone.append(f"{path}{name}")
        for name, inner in value.items():
            if name not in _OWN:
                gone += prune(known[name], inner, f"{path}{name}.")
    return gone


def complaints(schema: Schema, obj: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object, as the API server words it."""
    plain = {**schema, "properties": {**schema["properties"], "metadata": {}}}
    found = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(plain).iter_errors(obj)
    ]
    if found:
        return found
    # Rules are slow to work out, and none of them speaks of the status, which is what changes most.
    told = {"metadata": {"name": obj["metadata"].get("name", "")}, "spec": obj.get("spec")}
    said = json.dumps(told, sort_keys=True)
    if said not in _SPOKEN:
        _SPOKEN[said] = [f"{path or 'object'}: {words}" for path, words in _broken_rules(schema, told)]
    return _SPOKEN[said]


def _broken_rules(schema: Schema, value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if not holds(rule["rule"], value):
            yield path, rule["message"]
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _broken_rules(inner, value[name], f"{path}.{name}".lstrip("."))
    if isinstance(value, list):
        for entry in value:
            yield from _broken_rules(schema.get("items", {}), entry, path)


def holds(rule: str, value: Any) -> bool:
    """Whether a CEL rule is true of `self`."""
    return bool(_program(rule).evaluate({"self": json_to_cel(value)}))


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))
