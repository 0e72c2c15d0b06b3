"""An OCRModel's life under the operator's own Role, with the operator killed in the middle of each step."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.kubectl import Cluster, until
from tests.cluster.load import Load, Wish, calling
from tests.cluster.model import Model, Operator
from tests.cluster.release import NAME, Images, Release

_SPEC = {
    "engine": "rapid",
    "replicas": 1,
    "resources": {"cpu": "100m", "memory": "2Gi", "sharedMemory": "256Mi"},
}
_SEEN_S = 120
_MORE = 3


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, definition: None) -> Release:
    """The chart with the operator and one engine of its own, tesseract."""
    release = Release(cluster, images, "cpu", ["small", "operated"])
    release.upgrade()
    return release


@pytest.fixture(scope="module")
def operator(cluster: Cluster, release: Release) -> Operator:
    """Which the tests kill."""
    return Operator(cluster)


@pytest.fixture(scope="module")
def model(cluster: Cluster, release: Release) -> Model:
    """One that is brought from test to test."""
    return Model(cluster, "receipts")


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release) -> Iterator[Load]:
    """A caller who asks for what only the OCRModel's pods can read."""
    wish = Wish("pictures", callers=2, model="rapid")
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", wish) as load:
        yield load


def offered(cluster: Cluster) -> set[str]:
    """Models that the gateway lists."""
    path = f"/api/v1/namespaces/{cluster.namespace}/services/{NAME}-gateway:8000/proxy/v1/models"
    return {model["id"] for model in json.loads(cluster("get", f"--raw={path}"))["data"]}


def until_offered(cluster: Cluster, model: str, *, there: bool) -> None:
    """Until the gateway lists it, or no longer does."""
    until(lambda: (model in offered(cluster)) == there, f"the gateway's list with {model}={there}", _SEEN_S)


def test_create(cluster: Cluster, operator: Operator, model: Model) -> None:
    """Killed while the first pod starts, it goes on; the gateway lists the model without a restart."""
    gateways = {pod["metadata"]["uid"] for pod in cluster.all("pods", "app.kubernetes.io/component=gateway")}
    assert "rapid" not in offered(cluster)
    model.create(**_SPEC)
    model.until_tried("")
    operator.kill()
    status = model.until("Ready")
    assert status["activeRevision"] == status["targetRevision"]
    assert model.ready_pods() == 1
    until_offered(cluster, "rapid", there=True)
    assert gateways == {
        pod["metadata"]["uid"] for pod in cluster.all("pods", "app.kubernetes.io/component=gateway")
    }


def test_update_bad_revision_and_rollback(
    images: Images, operator: Operator, model: Model, load: Load, show: Callable[[object], None]
) -> None:
    """A good revision takes over, a bad one is taken back, and callers of the model lose nothing."""
    first = model.status()["activeRevision"]
    model.change(env={"PECIA_LIMITS__MAX_QUEUE_LENGTH": "48"})
    model.until_tried(first)
    operator.kill()
    good = model.until("Ready")["activeRevision"]
    assert good != first
    load.more(_MORE)

    model.change(image=images.name("ocr") + "-that-is-not-there")
    model.until_tried(good)
    operator.kill()
    blocked = model.until("Blocked")
    assert (blocked["activeRevision"], blocked["lastFailure"]["reason"]) == (good, "ImagePullFailed")
    assert model.ready_pods() == 1
    load.more(_MORE)

    model.change(image=None)
    operator.kill()
    back = model.until("Ready")
    assert back["activeRevision"] == back["targetRevision"] == good
    assert "failedRevision" not in back
    load.more(_MORE)
    load.end()
    said = load.said()
    show(said)
    assert said.lost == []


def test_chart_and_operator_share_no_object(cluster: Cluster, release: Release, model: Model) -> None:
    """What the operator made is its own by server-side apply; nothing of it is in the release's manifest."""
    manifest = cluster.helm("get", "manifest", NAME)
    assert f"ocrmodel-{model.name}" not in manifest
    for kind in ("deployment", "service", "poddisruptionbudget"):
        made = json.loads(
            cluster("get", kind, f"ocrmodel-{model.name}", "--show-managed-fields", "--output=json")
        )
        applied = {
            entry["manager"] for entry in made["metadata"]["managedFields"] if entry["operation"] == "Apply"
        }
        assert applied == {"pecia-operator"}
        (owner,) = made["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("OCRModel", model.name, True)


def test_delete(cluster: Cluster, operator: Operator, model: Model) -> None:
    """Deleted while the operator is killed: all that belonged to it goes, the gateway forgets the model."""
    assert model.belongings()
    cluster("delete", "ocrmodel", model.name, "--wait=false")
    operator.kill()
    until(lambda: not model.belongings(), "its belongings to go", 600)
    until_offered(cluster, "rapid", there=False)


def test_its_rights_are_enough_and_no_more(cluster: Cluster, operator: Operator) -> None:
    """Nothing it asked for was forbidden; Secrets, other namespaces, roles are not for it."""
    assert "forbidden" not in operator.log().lower()
    assert operator.may("list", "pods")
    assert not operator.may("get", "secrets")
    assert not operator.may("list", "pods", "kube-system")
    assert not operator.may("create", "rolebindings")
