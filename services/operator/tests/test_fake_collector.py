"""What belongs to something that is gone goes too, in the API server the other tests use as in a real one."""

from typing import Any

import httpx
from pecia_operator.testing.scene import Cluster, until


def _map(name: str, *owners: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "ownerReferences": list(owners)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def _names(cluster: Cluster) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.api.store.all("configmaps")}


def test_what_is_made_too_late_is_collected(cluster: Cluster) -> None:
    """An object that was on its way while its owner was deleted does not stay; others do."""
    cluster.create("receipts")
    model = cluster.get("ocrmodels", "receipts")
    assert model
    kind = {"apiVersion": "pecia.dev/v1alpha1", "kind": "OCRModel", "name": "receipts"}
    live, gone = {**kind, "uid": model["metadata"]["uid"]}, {**kind, "uid": "of-one-before"}
    url = f"{cluster.api.url}/api/v1/namespaces/default/configmaps"
    for made in (_map("free"), _map("mine", live), _map("both", live, gone), _map("late", gone)):
        assert httpx.post(url, json=made).status_code == 201
    until(lambda: _names(cluster) == {"free", "mine", "both"})
    cluster.delete("receipts")
    until(lambda: _names(cluster) == {"free"})
