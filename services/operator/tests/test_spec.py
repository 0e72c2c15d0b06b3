"""The spec as types, beside the definition that is shipped."""

import re
from typing import Any

import pytest
import yaml
from pecia_core.errors import InvalidRequest
from pecia_operator.spec import ModelSpec, parse_spec
from pecia_operator.testing.scene import EXAMPLES, definition

_KEPT = (
    "type",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "default",
    "required",
    "maxItems",
    "maxProperties",
)


def shape(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> Any:
    """What two schemas have in common that mean the same: types, bounds, defaults, names."""
    known = definitions if definitions is not None else schema.get("$defs", {})
    if "anyOf" in schema:  # optional
        (inner,) = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return shape(inner, known)
    if "$ref" in schema:
        inner = known[schema["$ref"].rsplit("/", 1)[1]]
        default = {"default": schema["default"]} if "default" in schema else {}
        return shape({**inner, **default}, known)
    found = {name: schema[name] for name in _KEPT if schema.get(name) is not None}
    found["required"] = sorted(found.get("required", []))
    if "properties" in schema:
        found["properties"] = {name: shape(one, known) for name, one in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            found[name] = shape(schema[name], known)
    return found


def test_types_and_definition_are_the_same() -> None:
    """Every field with its type, bounds, default and need is in both; a difference is shown by its place."""
    shipped = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    types = ModelSpec.model_json_schema(by_alias=True)
    for part in types["$defs"].values():
        part.pop("default", None)
    expected = shape(shipped)
    for name in ("resources", "rollout", "startup", "scheduling"):
        expected["properties"][name].pop("default")  # an empty object, which the types fill in
    assert shape(types) == expected


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_understood(example: Any) -> None:
    """Every example of the chart is a spec."""
    assert parse_spec(yaml.safe_load(example.read_text())["spec"]).engine in {"rapid", "deepseek"}


S3 = {"s3": {"bucket": "weights"}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"engine": "paddle"}, "spec.engine"),
        ({"engine": "rapid", "weights": S3}, "no other engine takes any"),
        ({"engine": "deepseek"}, "needs spec.weights"),
        ({"engine": "rapid", "resources": {"gpu": 1}}, "only engine deepseek"),
        ({"engine": "deepseek", "weights": {**S3, "pvc": {"claimName": "w"}}}, "exactly one source"),
        (
            {"engine": "deepseek", "weights": {"huggingFace": {"repository": "a/b", "revision": "0" * 40}}},
            "manifest.configMap",
        ),
        ({"engine": "deepseek", "weights": {"pvc": {"claimName": "w"}, "cache": {}}}, "can be cached"),
        ({"engine": "rapid", "scaling": {"minReplicas": 3, "maxReplicas": 2}}, "above maxReplicas"),
        ({"engine": "rapid", "scaling": {}}, "what to scale on"),
        (
            {"engine": "rapid", "scaling": {"minReplicas": 0, "inFlight": {"serverAddress": "http://p"}}},
            "wake a model",
        ),
    ],
)
def test_nonsense_is_refused_by_name(spec: dict[str, Any], words: str) -> None:
    """What an older definition lets through is refused, with the field and what to do."""
    with pytest.raises(InvalidRequest, match=re.escape(words)) as refused:
        parse_spec(spec)
    assert refused.value.message.startswith("spec")
    assert refused.value.message.endswith("Change it, and the model is tried again.")


def test_fields_of_a_newer_definition_are_passed_over() -> None:
    """An older operator does not fall over a field it does not know."""
    spec = {"engine": "rapid", "rollout": {"strategy": "Surge", "canary": {"percent": 10}}}
    assert parse_spec(spec).rollout.strategy == "Surge"
