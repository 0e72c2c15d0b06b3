"""A model's whole life, from `kubectl apply` to `kubectl delete`."""

from pecia_operator.testing.scene import Cluster, until


def test_create_update_delete(cluster: Cluster) -> None:
    """It is made, changed and deleted, and what belonged to it goes with it."""
    cluster.operate()
    assert cluster.create("receipts", replicas=2).status_code == 201
    status = cluster.wait("receipts", "Ready")
    first = status["activeRevision"]
    assert status["readyReplicas"] == 2
    cluster.change("receipts", env={"PECIA_LIMITS__MAX_QUEUE_LENGTH": "8"})
    until(lambda: cluster.status("receipts").get("observedGeneration") == 2)
    status = cluster.wait("receipts", "Ready")
    assert status["activeRevision"] != first
    cluster.delete("receipts")
    until(lambda: cluster.get("deployments", "ocrmodel-receipts") is None)
