"""Changes while callers go on asking: an upgrade, its rollback, nodes that are emptied. Nobody is lost."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.kubectl import Cluster, Refused, Thing, until
from tests.cluster.load import Load, Wish, calling, nobody_was_lost
from tests.cluster.release import NAME, Images, Release

_PODS = {"gateway": 2, "ocr-cpu": 2}
_WISH = Wish("pictures", callers=3)
_BEFORE = 5
_EVICTED_S = 900


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None) -> Release:
    """The CPU values with two gateways, which need no volume."""
    release = Release(cluster, images, "cpu", ["small", "stateless"])
    release.upgrade()
    release.all_settled(_PODS)
    return release


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release) -> Iterator[Load]:
    """Callers of pictures, some of whom were answered already."""
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", _WISH) as load:
        load.more(_BEFORE)
        yield load


def names(pods: list[Thing]) -> set[str]:
    """Of pods."""
    return {str(pod["metadata"]["name"]) for pod in pods}


def test_an_upgrade_and_its_rollback(release: Release, load: Load, show: Callable[[object], None]) -> None:
    """Every gateway and every ocr pod is replaced, and again on the way back: 0 failed requests."""
    first = names(release.pods())
    release.upgrade("logLevel=DEBUG")
    second = names(release.all_settled(_PODS))
    assert not first & second
    load.more(_BEFORE)
    release.rollback(1)
    third = names(release.all_settled(_PODS))
    assert not second & third
    nobody_was_lost(load, show)


def evict(cluster: Cluster, pod: str) -> bool:
    """Ask for a pod to leave as `kubectl drain` does; False while a budget forbids it.

    Raises:
        Refused: for another reason.
    """
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}/eviction"
    try:
        cluster("create", f"--raw={path}", "--filename=-", given=json.dumps(eviction))
    except Refused as refusal:
        if "disruption budget" in str(refusal):
            return False
        raise
    return True


def test_every_pod_is_evicted(
    cluster: Cluster, release: Release, load: Load, show: Callable[[object], None]
) -> None:
    """As when nodes are emptied one by one: budgets let one of a kind go at a time, and 0 requests fail."""
    former = release.pods("gateway") + release.pods("ocr-cpu")
    waited = 0
    for name in sorted(names(former)):
        if not evict(cluster, name):
            waited += 1
            until(lambda name=name: evict(cluster, name), f"the budget of {name}", _EVICTED_S)  # type: ignore[misc]
    assert waited, "all were evicted at once: the budgets do nothing"
    present = release.all_settled(_PODS)
    assert not names(former) & names(present)
    nobody_was_lost(load, show)
