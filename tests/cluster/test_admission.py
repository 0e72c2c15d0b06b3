"""Every scenario, put before a real API server: it takes each object as it stands, without a warning."""

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.kubectl import ROOT, Cluster, Refused, Thing

_UPSTREAM = ROOT / "tests/chart/upstream"
_SCENARIOS = sorted(path.stem for path in (ROOT / "helm/pecia/ci").glob("*.yaml"))
_EXAMPLES = sorted((ROOT / "helm/pecia-crds/examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def kinds_of_others(cluster: Cluster) -> Iterator[None]:
    """KEDA's, external-secrets', cert-manager's and the Prometheus operator's, where they are lacking."""
    documents = [
        one for file in sorted(_UPSTREAM.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())
    ]
    missing = [
        one for one in documents if not cluster.get("customresourcedefinition", one["metadata"]["name"])
    ]
    for one in missing:
        cluster.apply(one)
    names = [str(one["metadata"]["name"]) for one in missing]
    for name in names:
        cluster("wait", "--for=condition=Established", f"customresourcedefinition/{name}", "--timeout=60s")
    yield
    if names:
        cluster("delete", "customresourcedefinition", *names)


def version(cluster: Cluster) -> str:
    """Of the API server, as helm wants it."""
    return str(json.loads(cluster("version", "--output=json"))["serverVersion"]["gitVersion"])


@pytest.mark.parametrize("scenario", _SCENARIOS)
def test_a_scenario_is_taken(
    cluster: Cluster, definition: None, kinds_of_others: None, scenario: str
) -> None:
    """All its objects, under strict validation, in a namespace whose Pod Security would warn."""
    said = [f"--values=helm/pecia/ci/{scenario}.yaml", f"--kube-version={version(cluster)}", "--no-hooks"]
    text = cluster.helm("template", "pecia", "helm/pecia", *said)
    objects: list[Thing] = [one for one in yaml.safe_load_all(text) if one]
    assert len(objects) > 8
    assert cluster.apply(*objects, dry=True) == []


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_taken(cluster: Cluster, definition: None, example: object) -> None:
    """The definition's own rules, evaluated by the API server."""
    documents = list(yaml.safe_load_all((ROOT / str(example)).read_text()))
    assert cluster.apply(*documents, dry=True) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"engine": "rapid", "resources": {"gpu": 1}}, "Only engine deepseek computes on a GPU"),
        ({"engine": "deepseek"}, "Engine deepseek needs spec.weights"),
        ({"engine": "rapid", "env": {"PATH": "/"}}, "Only settings of the ocr service go here"),
        ({"engine": "rapid", "env": {"PECIA_GRPC__PORT": "1"}}, "follow from other fields"),
        (
            {"engine": "rapid", "scaling": {"minReplicas": 3, "maxReplicas": 2}},
            "must not be above maxReplicas",
        ),
        ({"engine": "rapid", "replica": 2}, "field not declared in schema"),
    ],
)
def test_a_mistake_is_refused_at_the_door(
    cluster: Cluster, definition: None, spec: Thing, words: str
) -> None:
    """In the definition's own words, before any operator sees it."""
    model = {"apiVersion": "pecia.dev/v1alpha1", "kind": "OCRModel", "metadata": {"name": "wrong"}}
    with pytest.raises(Refused, match=words):
        cluster.apply({**model, "spec": spec}, dry=True)
