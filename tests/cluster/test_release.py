"""The CPU values on a real cluster, from `helm install` to `helm uninstall`."""

import json

import pytest

from tests.cluster.kubectl import Cluster, Thing, is_ready, until
from tests.cluster.release import NAME, Images, Release

_PODS = {"gateway": 1, "ocr-cpu": 2, "ui": 1}
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# Beside the gateway a worker without its database must not take the gateway's pictures away.
_LACKING = {"worker": {"readinessProbe"}}


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None) -> Release:
    """The CPU values as they stand, but for the size of the cluster."""
    release = Release(cluster, images, "cpu", ["small"])
    release.upgrade()
    return release


def levels(pods: list[Thing]) -> set[str]:
    """What the pods' containers were told to log."""
    return {str(pod["metadata"]["annotations"]["checksum/config"]) for pod in pods}


def test_all_pods_become_ready_by_their_own_probes(cluster: Cluster, release: Release) -> None:
    """Every container, in a namespace that takes restricted pods only, and none was started twice."""
    for component, replicas in _PODS.items():
        release.settled(component, replicas)
    pods = release.pods()
    assert len(pods) == sum(_PODS.values())
    for pod in pods:
        assert is_ready(pod)
        for container in pod["spec"]["containers"]:
            assert set(_PROBES) - set(container) <= _LACKING.get(container["name"], set())
        for status in pod["status"]["containerStatuses"]:
            assert (status["ready"], status["started"], status["restartCount"]) == (True, True, 0), status
    warnings = [event["message"] for event in cluster.all("events") if event["reason"] == "FailedCreate"]
    assert warnings == []


@pytest.mark.parametrize(
    ("component", "container"), [("gateway", "gateway"), ("gateway", "worker"), ("ocr-cpu", "ocr")]
)
def test_files_are_opened_behind_walls(
    cluster: Cluster, release: Release, component: str, container: str
) -> None:
    """As user 10001, without capabilities and under RuntimeDefault: the walls are still ours to build."""
    name = release.pods(component)[0]["metadata"]["name"]
    lines = [json.loads(line) for line in cluster("logs", name, f"--container={container}").splitlines()]
    (said,) = [line["walls"] for line in lines if line["logger"] == "pecia_wall.probe"]
    assert "seccomp+no_new_privs" in said


def test_a_picture_is_read_through_the_service(release: Release) -> None:
    """`helm test`: its pod asks the gateway's Service by name, with a key, and finds the receipt's words."""
    assert "Succeeded" in release.test()


def test_an_upgrade_and_a_rollback(cluster: Cluster, release: Release) -> None:
    """A changed setting replaces the pods that read it; the rollback brings back what there was."""
    before = {component: levels(release.pods(component)) for component in _PODS}
    release.upgrade("logLevel=DEBUG")
    after = {component: levels(release.settled(component, count)) for component, count in _PODS.items()}
    assert all(after[component] != before[component] for component in _PODS)
    release.rollback(1)
    back = {component: levels(release.settled(component, count)) for component, count in _PODS.items()}
    assert back == before
    assert "Succeeded" in release.test()


def test_nothing_but_the_jobs_is_left(cluster: Cluster, release: Release) -> None:
    """After `helm uninstall` the volume of jobs is there, as docs/chart.md says, and nothing else."""
    release.uninstall()
    kinds = cluster("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    listed = [kind for kind in kinds if not kind.startswith("events")]
    until(lambda: not cluster.all("pods", f"app.kubernetes.io/instance={NAME}"), "the pods' end", 600)
    left = cluster.all(",".join(listed), f"app.kubernetes.io/instance={NAME}")
    assert [f"{one['kind']}/{one['metadata']['name']}" for one in left] == [
        f"PersistentVolumeClaim/{NAME}-jobs"
    ]
