"""Pods that come and go with their nodes, under load: spread, emptied nodes, one lost, one that joins."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.kubectl import Cluster, Thing
from tests.cluster.load import Load, Wish, calling, nobody_was_lost
from tests.cluster.release import NAME, Images, Release

_PODS = {"gateway": 2, "ocr-cpu": 2}
_BEFORE = 5
_DRAINED_S = 1200
_AGE_S = 30  # of a connection, as docs/CONFIG.md has it
_LOOK_S = 60
_FAIR = 1 / 3 / 2


@pytest.fixture(scope="module")
def nodes() -> list[str]:
    """Nodes that may be emptied."""
    named = [name for name in os.environ.get("PECIA_TEST_NODES", "").split(",") if name]
    if len(named) < 2:
        pytest.skip("PECIA_TEST_NODES names no two nodes, with a comma between, that may be emptied.")
    return named


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None) -> Release:
    """The CPU values with two gateways; its pods carry the namespace's own name."""
    release = Release(cluster, images, "cpu", ["small", "stateless"])
    release.upgrade(named(cluster))
    release.all_settled(_PODS)
    return release


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release) -> Iterator[Load]:
    """Callers of pictures, some of whom were answered already."""
    wish = Wish("pictures", callers=4)
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", wish) as load:
        load.more(_BEFORE)
        yield load


def named(cluster: Cluster) -> str:
    """The value that has all pods of the release, and nobody else's, known by a label."""
    return f"commonLabels.pecia\\.dev/test={cluster.namespace}"


def where(pods: list[Thing]) -> list[str]:
    """The nodes that pods are on."""
    return sorted(str(pod["spec"].get("nodeName", "")) for pod in pods)


def test_pods_of_a_kind_are_on_different_nodes(cluster: Cluster, release: Release, nodes: list[str]) -> None:
    """Two of each, two nodes: the loss of one leaves one of each; so it is after an upgrade, too."""
    apart = {component: sorted(nodes)[:2] for component in _PODS}
    assert {component: where(release.pods(component)) for component in _PODS} == apart
    release.upgrade(named(cluster), "logLevel=DEBUG")
    assert {component: where(release.settled(component, 2)) for component in _PODS} == apart


@contextmanager
def emptied(cluster: Cluster, node: str) -> Iterator[None]:
    """A node that `kubectl drain` has emptied of this test's pods; it may be used again afterwards."""
    chosen = [f"--pod-selector=pecia.dev/test={cluster.namespace}", "--delete-emptydir-data"]
    try:
        said = ["--ignore-daemonsets", f"--timeout={_DRAINED_S}s"]
        cluster("drain", node, *chosen, *said, timeout_s=_DRAINED_S + 60)
        yield
    finally:
        cluster("uncordon", node)


def test_nodes_are_drained(
    cluster: Cluster, release: Release, nodes: list[str], load: Load, show: Callable[[object], None]
) -> None:
    """`kubectl drain`, one node after the other, as an upgrade of nodes does: 0 requests fail."""
    for node in nodes:
        with emptied(cluster, node):
            present = release.all_settled(_PODS)
            assert node not in where(present)
            load.more(_BEFORE)
    nobody_was_lost(load, show)


def test_a_pod_is_lost(
    cluster: Cluster, release: Release, load: Load, show: Callable[[object], None]
) -> None:
    """An ocr pod ends in the middle of pages, with no time to finish them: they are read elsewhere."""
    lost = str(release.settled("ocr-cpu", 2)[0]["metadata"]["name"])
    cluster("delete", "pod", lost, "--grace-period=0", "--force")
    load.more(_BEFORE)
    release.settled("ocr-cpu", 2)
    nobody_was_lost(load, show)


def pages_read(cluster: Cluster, pod: Thing) -> float:
    """Pages an ocr pod has read, by its own count."""
    name = f"{pod['metadata']['name']}:9090"
    said = cluster("get", f"--raw=/api/v1/namespaces/{cluster.namespace}/pods/{name}/proxy/metrics")
    return sum(
        sample.value
        for family in text_string_to_metric_families(said)
        for sample in family.samples
        if sample.name == "ocr_requests_total"
    )


def test_a_pod_that_joins_gets_its_share(
    cluster: Cluster, release: Release, load: Load, show: Callable[[object], None]
) -> None:
    """Within one connection's age of the third pod's readiness, each of the three reads a fair part."""
    former = {str(pod["metadata"]["name"]) for pod in release.pods("ocr-cpu")}
    release.upgrade(
        named(cluster),
        "logLevel=DEBUG",
        *(f"ocr.engines[0].{bound}Replicas=3" for bound in ("min", "max")),
    )
    pods = release.settled("ocr-cpu", 3)
    assert former < {str(pod["metadata"]["name"]) for pod in pods}
    time.sleep(_AGE_S)
    before = [pages_read(cluster, pod) for pod in pods]
    time.sleep(_LOOK_S)
    read = [pages_read(cluster, pod) - first for pod, first in zip(pods, before, strict=True)]
    shares = [round(pages / max(sum(read), 1), 2) for pages in read]
    show(f"{sum(read):.0f} pages in {_LOOK_S} s, shares {shares}")
    nobody_was_lost(load, show)
    assert min(shares) > _FAIR, shares
