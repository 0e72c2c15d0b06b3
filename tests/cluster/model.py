"""An OCRModel of a cluster, and the operator that looks after it."""

import json
from typing import Any

from tests.cluster.kubectl import Cluster, Thing, until

_KIND = "ocrmodels.pecia.dev"
_OPERATOR = "app.kubernetes.io/component=operator"
_SETTLED_S = 900


class Model:
    """One OCRModel."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Not created yet."""
        self._cluster = cluster
        self.name = name

    def create(self, **spec: Any) -> None:
        """As people do, by `kubectl apply`."""
        made = {"apiVersion": "pecia.dev/v1alpha1", "kind": "OCRModel", "metadata": {"name": self.name}}
        self._cluster.apply({**made, "spec": spec})

    def change(self, **spec: Any) -> None:
        """Fields of its spec; None takes one away."""
        patch = json.dumps({"spec": spec})
        self._cluster("patch", _KIND, self.name, "--type=merge", f"--patch={patch}")

    def status(self) -> Thing:
        """As the operator last wrote it; empty before."""
        found = self._cluster.get(_KIND, self.name)
        return dict((found or {}).get("status", {}))

    def until(self, phase: str) -> Thing:
        """The status, once the operator has seen the newest spec and says that word."""

        def look() -> Thing:
            found = self._cluster.get(_KIND, self.name) or {}
            status: Thing = found.get("status", {})
            seen = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            return status if seen and status.get("phase") == phase else {}

        return until(look, f"{self.name} {phase}", _SETTLED_S)

    def until_tried(self, not_revision: str) -> Thing:
        """The status, once another revision is the target: the operator is in the middle of it."""

        def look() -> Thing:
            status = self.status()
            return status if status.get("targetRevision") not in {None, "", not_revision} else {}

        return until(look, f"a new revision of {self.name}", _SETTLED_S)

    def ready_pods(self) -> int:
        """Pods of its Deployment that the kubelet found ready."""
        found = self._cluster.get("deployment", f"ocrmodel-{self.name}") or {"status": {}}
        return int(found["status"].get("readyReplicas", 0))

    def belongings(self) -> list[str]:
        """Kinds and names of all that there is of it."""
        kinds = (
            "deployments,replicasets,services,configmaps,controllerrevisions,poddisruptionbudgets,pods,jobs"
        )
        found = self._cluster.all(kinds, f"pecia.dev/model={self.name}")
        return [f"{one['kind']}/{one['metadata']['name']}" for one in found]


class Operator:
    """The operator's pod."""

    def __init__(self, cluster: Cluster) -> None:
        """As the chart runs it."""
        self._cluster = cluster

    def kill(self) -> None:
        """Its pod is gone at once, as with its node; the Deployment makes another."""
        before = self._pods()
        assert before, "there is no operator to kill"
        self._cluster("delete", "pod", *before, "--grace-period=0", "--force")

        def look() -> bool:
            return bool(self._pods() - before)

        until(look, "another operator", _SETTLED_S)

    def log(self) -> str:
        """What it said since it began."""
        return self._cluster("logs", f"--selector={_OPERATOR}", "--tail=-1")

    def may(self, verb: str, kind: str, namespace: str = "") -> bool:
        """Whether its account may do that, as the API server judges."""
        place = namespace or self._cluster.namespace
        account = f"system:serviceaccount:{self._cluster.namespace}:pecia-operator"
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": account,
                "resourceAttributes": {"verb": verb, "resource": kind, "namespace": place},
            },
        }
        answer = self._cluster(
            "create", "--filename=-", "--output=json", "--validate=false", given=json.dumps(review)
        )
        return bool(json.loads(answer)["status"].get("allowed"))

    def _pods(self) -> set[str]:
        return {
            str(pod["metadata"]["name"])
            for pod in self._cluster.all("pods", _OPERATOR)
            if "deletionTimestamp" not in pod["metadata"]
        }
