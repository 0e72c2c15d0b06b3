"""The operator's image beside an API server that is played: with all it imports, and restricted."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pecia_operator.testing import Controllers, FakeApi, crd_resource
from pecia_operator.testing.resources import KEDA
from pecia_operator.testing.scene import RULES, Cluster, definition

from tests.conftest import free_port
from tests.images.podman import Container, Yard, until

_STOP_S = 40


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """An API server on this machine that allows what the operator's Role allows, and the rest played."""
    with (
        FakeApi([crd_resource(definition()), KEDA], rules=RULES) as api,
        Controllers(api.store) as controllers,
    ):
        yield Cluster(api, controllers)


def operator(yard: Yard, folder: Path, cluster: Cluster, port: int) -> Container:
    """The image, on this machine's own network: that is where the API server is."""
    config = folder / "kubeconfig"
    config.write_text(json.dumps(cluster.api.kubeconfig("operator")))
    config.chmod(0o644)
    return yard.run(
        "operator",
        "--network=host",
        "--memory=256m",
        f"--volume={config}:/kubeconfig:ro",
        KUBECONFIG="/kubeconfig",
        PECIA_OPERATOR__NAMESPACE="default",
        PECIA_OPERATOR__IDENTITY="operator-0",
        PECIA_PROBE__HOST="127.0.0.1",
        PECIA_PROBE__PORT=str(port),
        PECIA_ROLLOUT__RESYNC_S="1",
    )


def test_a_model_is_brought_up(yard: Yard, tmp_path: Path, cluster: Cluster) -> None:
    """It says that it is well, makes what an OCRModel asks for, and ends at SIGTERM with 0."""
    port = free_port()
    container = operator(yard, tmp_path, cluster, port)
    until(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10).is_success, "the operator")
    assert container.healthy()
    assert cluster.create("receipts", replicas=1).status_code == 201
    until(lambda: cluster.get("deployments", "ocrmodel-receipts"), "the deployment")
    until(lambda: cluster.status("receipts").get("readyReplicas") == 1, "its pod")
    assert container.stop(_STOP_S) < _STOP_S
    assert container.exit_code == 0, container.logs()
