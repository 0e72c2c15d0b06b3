"""The definition and its chart: rules that hold, defaults, a text on every field, a chart that keeps it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pecia_operator.testing import admission
from pecia_operator.testing.scene import EXAMPLES, ROOT, definition

_VERSION = definition()["spec"]["versions"][0]
_SCHEMA = _VERSION["schema"]["openAPIV3Schema"]
_S3 = {"s3": {"bucket": "weights"}}
_DEEPSEEK = {"engine": "deepseek", "weights": _S3}
_KEDA = {"queue": {"authenticationRef": "db"}}


def admitted(spec: dict[str, Any], name: str = "m") -> tuple[dict[str, Any], list[str]]:
    """The spec with its defaults, and what is wrong with it."""
    body: dict[str, Any] = {
        "apiVersion": "pecia.dev/v1alpha1",
        "kind": "OCRModel",
        "metadata": {"name": name},
        "spec": spec,
    }
    admission.fill_in(_SCHEMA, body)
    return body["spec"], admission.complaints(_SCHEMA, body)


@pytest.mark.parametrize("version", ["1.29", "1.34", "1.37"])
def test_it_is_a_definition(version: str) -> None:
    """Kubernetes' own schema of definitions takes it."""
    kubernetes_validate.validate(definition(), version, strict=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_taken(path: Path) -> None:
    """Nothing is pruned from them, and no rule is against them."""
    body = yaml.safe_load(path.read_text())
    assert admission.prune(_SCHEMA, body) == []
    assert admitted(body["spec"], body["metadata"]["name"])[1] == []


def test_defaults() -> None:
    """The least one can say becomes one pod that surges."""
    spec, wrong = admitted({"engine": "rapid"})
    assert wrong == []
    assert (spec["replicas"], spec["rollout"], spec["startup"]) == (
        1,
        {"strategy": "Surge"},
        {"timeoutSeconds": 900},
    )
    assert spec["resources"]["memory"] == "3Gi"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"engine": "paddle"}, "not one of"),
    ({"engine": "rapid", "weights": _S3}, "Only engine deepseek takes weights"),
    ({"engine": "deepseek"}, "needs spec.weights"),
    ({"engine": "rapid", "resources": {"gpu": 1}}, "computes on a GPU"),
    ({"engine": "rapid", "resources": {"memory": "3"}}, "does not match"),
    ({"engine": "rapid", "env": {"LD_PRELOAD": "x"}}, "names begin with PECIA_ or OCR_"),
    ({"engine": "rapid", "env": {"PECIA_GRPC__PORT": "1"}}, "follow from other fields"),
    ({"engine": "deepseek", "weights": {}}, "exactly one source"),
    ({"engine": "deepseek", "weights": {**_S3, "image": {"reference": "x"}}}, "exactly one source"),
    (
        {"engine": "deepseek", "weights": {"huggingFace": {"repository": "a/b", "revision": "a" * 40}}},
        "Hugging Face holds no sha256 manifest",
    ),
    ({"engine": "deepseek", "weights": {"pvc": {"claimName": "c"}, "cache": {}}}, "can be cached"),
    ({"engine": "deepseek", "weights": {"pvc": {"claimName": "c", "path": "../etc"}}}, "does not match"),
    ({"engine": "rapid", "scaling": {**_KEDA, "minReplicas": 5}}, "must not be above maxReplicas"),
    ({"engine": "rapid", "scaling": {}}, "what to scale on"),
    (
        {"engine": "rapid", "scaling": {"minReplicas": 0, "inFlight": {"serverAddress": "http://p"}}},
        "wake a model from zero",
    ),
]


@pytest.mark.parametrize(("spec", "words"), REFUSED)
def test_every_rule_refuses(spec: dict[str, Any], words: str) -> None:
    """Each with words that say what to do."""
    assert words in " ".join(admitted(spec)[1])


@pytest.mark.parametrize("name", ["m" * 41, "1m", "m.n"])
def test_names_that_would_not_do(name: str) -> None:
    """A Service and a Job are named after it."""
    assert "name" in " ".join(admitted({"engine": "rapid"}, name)[1])


def test_every_rule_has_been_refused() -> None:
    """No rule is there that no test breaks."""
    rules = {rule["message"] for rule in _rules(_SCHEMA["properties"]["spec"])}
    broken = {message for spec, _ in REFUSED for message in admitted(spec)[1]}
    assert [rule for rule in rules if not any(rule in message for message in broken)] == []


def _rules(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from schema.get("x-kubernetes-validations", ())
    for inner in schema.get("properties", {}).values():
        yield from _rules(inner)


def _silent(schema: dict[str, Any], path: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        if "description" not in inner:
            yield f"{path}.{name}"
        yield from _silent(inner, f"{path}.{name}")
    if "items" in schema:
        yield from _silent(schema["items"], f"{path}[]")


def test_every_field_is_explained() -> None:
    """`kubectl explain` has a text for each, of the spec and of the status."""
    silent = [place for part in ("spec", "status") for place in _silent(_SCHEMA["properties"][part], part)]
    assert silent == []


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned helm, its checksum compared."""
    fetched = subprocess.run(["scripts/kube-tools"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    return ROOT / "build/tools/helm"


def test_the_chart_renders_the_definition(helm: Path) -> None:
    """As it stands in the file, kept on uninstall unless that is switched off."""
    chart = str(ROOT / "helm/pecia-crds")
    for values, kept in (([], "keep"), (["--set", "keep=false"], None)):
        rendered = subprocess.run(
            [str(helm), "template", "crds", chart, *values], capture_output=True, text=True, check=True
        )
        made = yaml.safe_load(rendered.stdout)
        assert made["spec"] == definition()["spec"]
        assert (made["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") == kept
    linted = subprocess.run(
        [str(helm), "lint", "--strict", chart], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout
    refused = subprocess.run(
        [str(helm), "template", "crds", chart, "--set", "kep=true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "kep" in refused.stderr
