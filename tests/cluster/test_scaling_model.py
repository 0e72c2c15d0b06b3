"""An OCRModel that KEDA scales: from none to some and back, and the number of pods is KEDA's alone."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import backing
from tests.cluster.kubectl import Cluster, until
from tests.cluster.load import Load, Wish, calling
from tests.cluster.model import Model
from tests.cluster.release import NAME, Images, Release
from tests.cluster.scaling import Scaled, need_keda, said

_SPEC = {
    "engine": "rapid",
    "resources": {"cpu": "50m", "memory": "2Gi", "sharedMemory": "256Mi"},
    "scaling": {
        "minReplicas": 0,
        "maxReplicas": 2,
        "scaleDownDelaySeconds": 60,
        "queue": {"authenticationRef": f"{NAME}-pages", "pagesPerReplica": 4},
    },
}
_CALLERS = 3
_SAID_S = 300


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None, definition: None) -> Release:
    """The chart with workers of KEDA, the operator, and tesseract."""
    need_keda(cluster)
    backing.start(cluster)
    release = Release(cluster, images, "cpu", ["small", "external", "scaled", "operated-jobs"])
    release.upgrade()
    return release


@pytest.fixture(scope="module")
def model(cluster: Cluster, release: Release) -> Iterator[Model]:
    """One that is brought from test to test."""
    model = Model(cluster, "elastic")
    model.create(**_SPEC)
    yield model
    cluster("delete", "ocrmodel", model.name, "--ignore-not-found")


@pytest.fixture(scope="module")
def pods(cluster: Cluster, model: Model) -> Scaled:
    """What the operator made of it."""
    return Scaled(cluster, f"ocrmodel-{model.name}")


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release, model: Model) -> Iterator[Load]:
    """Callers who hand in documents of three pages."""
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", Wish("jobs", _CALLERS)) as load:
        yield load


def owners(cluster: Cluster, name: str) -> set[str]:
    """Who set the number of pods of that Deployment, as far as the API server noted it.

    It notes whoever applies a number. Of a change by way of `scale` it keeps no owner where there was none.
    """
    made = json.loads(cluster("get", "deployment", name, "--show-managed-fields", "--output=json"))
    return {
        str(entry["manager"])
        for entry in made["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }


def until_condition(model: Model, condition: str, status: str, reason: str) -> None:
    """Until the OCRModel says so."""

    def look() -> bool:
        return said({"status": model.status()}, condition) == (status, reason)

    until(look, f"{condition} {status} {reason}", _SAID_S)


def test_nothing_waits(cluster: Cluster, model: Model, pods: Scaled) -> None:
    """KEDA takes the pods away, and the status says that none is asked for."""
    pods.until_said("Ready", "True")
    pods.until_none()
    status = model.until("Idle")
    assert said({"status": status}, "ScalingActive") == ("True", "ScaledObjectReady")
    assert said({"status": status}, "Available") == ("False", "ScaledToZero")
    assert "pecia-operator" not in owners(cluster, pods.name)


def test_pages_that_wait_bring_pods(
    cluster: Cluster, model: Model, pods: Scaled, load: Load, show: Callable[[object], None]
) -> None:
    """As many as there may be; the operator says Ready, and lets KEDA have the number."""
    pods.until_ready(2)
    status = model.until("Ready")
    assert said({"status": status}, "ScalingActive") == ("True", "ScaledObjectReady")
    assert status["activeRevision"] == status["targetRevision"]
    assert "pecia-operator" not in owners(cluster, pods.name)

    model.change(env={"PECIA_LIMITS__MAX_QUEUE_LENGTH": "48"})
    until(lambda: model.status().get("activeRevision") != status["activeRevision"], "a revision", 600)
    assert "pecia-operator" not in owners(cluster, pods.name)
    load.more(2)
    load.end()
    answers = load.said()
    show(answers)
    assert answers.lost == []


def test_they_go_again(cluster: Cluster, model: Model, pods: Scaled) -> None:
    """Nothing waits: down to none, of the newest revision."""
    pods.until_none()
    status = model.until("Idle")
    assert status["activeRevision"] == status["targetRevision"]
    assert "pecia-operator" not in owners(cluster, pods.name)


def test_who_cannot_be_asked_is_named(model: Model, pods: Scaled) -> None:
    """Without a TriggerAuthentication nobody scales the model, and its status says so until it has one."""
    model.change(scaling={"queue": {"authenticationRef": "missing"}})
    until_condition(model, "ScalingActive", "False", "ScaledObjectNotReady")
    assert pods.wanted() == 0
    model.change(scaling=_SPEC["scaling"])
    until_condition(model, "ScalingActive", "True", "ScaledObjectReady")


def test_scaling_is_given_back(cluster: Cluster, model: Model, pods: Scaled) -> None:
    """Without `spec.scaling` the ScaledObject goes, and the number is the spec's."""
    model.change(scaling=None, replicas=1)
    until(lambda: not pods.object(), "the ScaledObject's end", _SAID_S)
    model.until("Ready")
    assert pods.wanted() == 1
    assert "pecia-operator" in owners(cluster, pods.name)
