"""Which fields objects have: Kubernetes' own of each version, and those of others that the chart uses."""

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
_OTHERS = Path(__file__).with_name("third_party.yaml")
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
    if kind == "OCRModel":
        crd = yaml.safe_load(_CRD.read_text())
        (schema,) = [each["schema"]["openAPIV3Schema"] for each in crd["spec"]["versions"]]
        return dict(schema)
    known = yaml.safe_load(_OTHERS.read_text())
    assert f"{api}/{kind}" in known, f"{api}/{kind} is no kind that tests/chart/third_party.yaml knows"
    return {"$defs": known["$defs"], **known[f"{api}/{kind}"]}
