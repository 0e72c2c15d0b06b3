"""Which fields objects have: Kubernetes' own of each version, and those of others by upstream's CRDs."""

import functools
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_SCHEMAS = files("kubernetes_validate") / "kubernetes-json-schema"
_UPSTREAM = Path(__file__).with_name("upstream")
_CRD = Path(__file__).parents[2] / "helm/pecia-crds/files/ocrmodels.pecia.dev.yaml"
_OLDEST = (1, 29)


def versions() -> list[str]:
    """Of Kubernetes that the chart supports and schemas are known of, oldest first."""
    found = {
        (int(match[1]), int(match[2]))
        for folder in _SCHEMAS.iterdir()
        if (match := re.fullmatch(r"v(\d+)\.(\d+)\.\d+-local-strict", folder.name))
    }
    return [f"{major}.{minor}" for major, minor in sorted(found) if (major, minor) >= _OLDEST]


def complaint(one: dict[str, Any], version: str) -> str:
    """What is wrong with an object; "" = nothing."""
    error = jsonschema.exceptions.best_match(
        _validator(one["apiVersion"], one["kind"], version).iter_errors(one)
    )
    if error is None:
        return ""
    return f"{one['kind']}/{one['metadata']['name']} {error.json_path}: {error.message[:300]}"


@functools.cache
def _folder(version: str) -> Any:
    (folder,) = [
        folder for folder in _SCHEMAS.iterdir() if re.fullmatch(rf"v{version}\.\d+-local-strict", folder.name)
    ]
    return folder


@functools.cache
def _definitions(version: str) -> Registry[Any]:
    contents = json.loads((_folder(version) / "_definitions.json").read_text())
    resource = DRAFT202012.create_resource(contents)
    uri = contents.get("$id", "_definitions.json")
    return Registry().with_resources([(uri, resource), ("_definitions.json", resource)])


@functools.cache
def _validator(api: str, kind: str, version: str) -> jsonschema.Draft202012Validator:
    name = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
    file = _folder(version) / f"{kind.lower()}-{name}.json"
    if file.is_file():
        return jsonschema.Draft202012Validator(json.loads(file.read_text()), registry=_definitions(version))
    return jsonschema.Draft202012Validator(_others(api, kind))


def _others(api: str, kind: str) -> dict[str, Any]:
    group, _, version = api.partition("/")
    files = [_CRD] if kind == "OCRModel" else sorted(_UPSTREAM.glob("*.yaml"))
    for definition in (one for file in files for one in yaml.safe_load_all(file.read_text())):
        spec = definition["spec"]
        if (spec["group"], spec["names"]["kind"]) == (group, kind):
            (schema,) = [
                one["schema"]["openAPIV3Schema"] for one in spec["versions"] if one["name"] == version
            ]
            strict = _strict(schema)
            strict["properties"]["metadata"] = {"required": ["name", "namespace", "labels"]}
            return strict
    raise AssertionError(f"{api}/{kind} is no kind that tests/chart/upstream knows")


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A definition's schema as an API server with strict validation takes it: no field it does not name."""
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {name: _strict(one) for name, one in made["properties"].items()}
        if not made.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    for inner in ("items", "additionalProperties"):
        if isinstance(made.get(inner), dict):
            made[inner] = _strict(made[inner])
    return made
