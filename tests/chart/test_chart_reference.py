"""The chart's own pages and files: made from one source, linted, and closed to what nobody knows."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart.rendering import CHART, ROOT, SCENARIOS, Refused, helm, rendered, scenario

_MADE = ("README.md", "values.schema.json")
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Files that look like values.
NO_VALUES = {"tls.crt", "tls.key", "jobs.md"}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def test_reference_is_up_to_date(tmp_path: Path) -> None:
    """Schema and table are what `make docs` writes."""
    for name in ("values.yaml", *_MADE):
        shutil.copy(CHART / name, tmp_path)
    subprocess.run([sys.executable, ROOT / "scripts/chart_reference.py", tmp_path], check=True)
    for name in _MADE:
        assert (tmp_path / name).read_text() == (CHART / name).read_text(), "run `make docs`"


@pytest.mark.parametrize("name", SCENARIOS)
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    """`helm lint --strict`, with every scenario."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--values", scenario(name))


def test_six_scenarios_are_there() -> None:
    """Each begins with the situation it is for."""
    assert set(SCENARIOS) == {"cpu", "eks", "external-services", "ha", "l4", "minimal"}
    for name in SCENARIOS:
        assert Path(scenario(name)).read_text().startswith("# ")


def test_yaml_is_well_kept() -> None:
    """yamllint, over everything that is YAML before helm renders it."""
    rules: dict[str, Any] = {"line-length": {"max": 120}, "comments": {"min-spaces-from-content": 1}}
    rules |= dict.fromkeys(("document-start", "braces"), "disable")
    files = [
        CHART / "Chart.yaml",
        CHART / "values.yaml",
        *(CHART / "ci").glob("*"),
    ]
    command = [
        sys.executable,
        "-m",
        "yamllint",
        "--strict",
        "-d",
        json.dumps({"extends": "default", "rules": rules}),
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def sections(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All schemas of objects that name their keys."""
    if "properties" in schema:
        yield path, schema
    for key, inner in schema.get("properties", {}).items():
        yield from sections(inner, f"{path}.{key}")
    if "items" in schema:
        yield from sections(schema["items"], f"{path}[]")


def test_every_value_is_known_and_described() -> None:
    """No object takes a key that nobody knows, and every key says what it is for."""
    found = dict(sections(SCHEMA)) | {
        f"$defs.{name}": each for name, each in SCHEMA["$defs"].items() if "properties" in each
    }
    assert len(found) > 20
    assert [path for path, schema in found.items() if schema["additionalProperties"] is not False] == []
    silent = [
        f"{path}.{key}"
        for path, schema in found.items()
        for key, inner in schema["properties"].items()
        if "properties" not in inner and not inner.get("description")
    ]
    assert silent == []


def keys(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all keys of the values, lists left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from keys(inner, f"{path}.{key}")


def test_values_and_schema_name_the_same_keys() -> None:
    """What has a default has a schema, and what has a schema has a default."""
    named = {
        f"{path}.{key}"
        for path, schema in sections(SCHEMA)
        if "[]" not in path
        for key in schema["properties"]
    }
    assert named - set(keys(VALUES)) == {".global"}
    free = {
        path for path in set(keys(VALUES)) - named if not any(path.startswith(f"{one}.") for one in named)
    }
    assert free == set()


def test_defaults_keep_their_own_rules() -> None:
    """values.yaml is valid, and so is an engine with every key that the defaults have."""
    jsonschema.Draft202012Validator(SCHEMA).validate(VALUES)
    engine = {"name": "all", **VALUES["ocr"]["defaults"]}
    assert rendered(ocr={"engines": [engine]}).pod("ocr-all").containers


def test_every_value_does_something() -> None:
    """Each is looked at by some template."""
    text = "\n".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    text += (CHART / "files/alerts.yaml").read_text()
    unread = [path for path in keys(VALUES) if path.count(".") and f".{path.rpartition('.')[2]}" not in text]
    passed_on = ("resources.", "names.", "image.", "serviceAccount.", "dashboardLabels.")
    assert [path for path in unread if not any(part in f"{path}." for part in passed_on)] == []


def named_values() -> Iterator[tuple[str, str]]:
    """Values that the documents name, and where."""
    about = ("chart", "runbook", "DEPLOYMENT", "operate", "troubleshoot", "cost")
    pages = [page for page in (ROOT / "docs").glob("*.md") if page.stem in about]
    pages += [CHART / "templates/_validate.tpl", CHART / "templates/NOTES.txt"]
    for page in pages:
        for found in re.findall(r"[`{ ,(]([a-z]\w+(?:\.\w+|\[\])+)(?=[`=, ])", page.read_text()):
            first = re.split(r"\W", found)[0]
            if isinstance(VALUES.get(first), dict) and found not in NO_VALUES:
                yield page.name, found


def test_documents_name_values_that_exist() -> None:
    """Whoever reads of one finds it."""
    named = set(named_values())
    assert len(named) > 30
    known = {path[1:] for path in keys(VALUES)}
    known |= {path.replace("ocr.defaults", "ocr.engines[]") for path in known} | {"ocr.engines[]"}
    assert {(page, value) for page, value in named if value not in known} == set()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gatway": {}}, "gatway"),
        ({"gateway": {"replica": 2}}, "replica"),
        ({"gateway": {"replicas": 0}}, "minimum"),
        ({"gateway": {"replicas": "2"}}, "want integer"),
        ({"gateway": {"env": {"lower-case": "1"}}}, "lower-case"),
        ({"gateway": {"env": {"PECIA_HTTP__PORT": [1]}}}, "PECIA_HTTP__PORT"),
        ({"gateway": {"resources": {"limit": {}}}}, "limit"),
        ({"gateway": {"resources": {"limits": {"memory": "1 GB"}}}}, "memory"),
        ({"gateway": {"image": {"digest": "sha256:1"}}}, "digest"),
        ({"gateway": {"tolerations": [{"effect": "Never"}]}}, "effect"),
        ({"gateway": {"autoscaling": {"kind": "both"}}}, "kind"),
        ({"fullnameOverride": "x" * 41}, "fullnameOverride"),
        ({"inferenceTimeoutSeconds": 5}, "minimum"),
        ({"preStopSeconds": 0}, "minimum"),
        ({"logLevel": "LOUD"}, "logLevel"),
        ({"jobs": {"store": "redis"}}, "store"),
        ({"jobs": {"blobsUrl": "/data"}}, "blobsUrl"),
        ({"jobs": {"local": {"size": "much"}}}, "size"),
        ({"ocr": {"engines": [{}]}}, "name"),
        ({"ocr": {"engines": [{"name": "Big One"}]}}, "pattern"),
        ({"ocr": {"engines": [{"name": "a", "engines": ["easyocr"]}]}}, "engines"),
        ({"ocr": {"engines": [{"name": "a", "engines": []}]}}, "minItems"),
        ({"ocr": {"engines": [{"name": "a", "autoscaling": "hpa+keda"}]}}, "autoscaling"),
        ({"ocr": {"engines": [{"name": "a", "gpu": 1}]}}, "gpu"),
        ({"ocr": {"engines": [{"name": "a", "startupSeconds": 1}]}}, "startupSeconds"),
        ({"models": [{"name": "m"}]}, "spec"),
        ({"models": [{"name": "m", "spec": {}}]}, "minProperties"),
        ({"ingress": {"alb": {"scheme": "public"}}}, "scheme"),
        ({"ingress": {"alb": {"certificateArn": "my-cert"}}}, "certificateArn"),
        ({"ingress": {"alb": {"wafAclArn": "my-waf"}}}, "wafAclArn"),
        ({"ingress": {"alb": {"inboundCidrs": []}}}, "minItems"),
        ({"ingress": {"alb": {"inboundCidrs": ["everybody"]}}}, "pattern"),
        ({"ingress": {"alb": {"idleTimeoutSeconds": 5000}}}, "maximum"),
        ({"networkPolicy": {"privatePeers": [{"cidr": "10.0.0.0/16"}]}}, "ports"),
        ({"tls": {"certManager": {"duration": "a year"}}}, "duration"),
        ({"monitoring": {"memoryPercent": 100}}, "maximum"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], words: str) -> None:
    """By the schema, before a template is looked at, and with the name of what is wrong."""
    with pytest.raises(Refused, match="values don't meet the specifications") as refusal:
        rendered(**values)
    assert words.lower() in str(refusal.value).lower()
