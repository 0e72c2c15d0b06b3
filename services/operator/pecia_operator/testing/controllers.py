"""The rest of a cluster, played: Deployment and Job controllers, a scheduler with so many GPUs, kubelets.

What pods do is a test's to say. Their statuses have the shapes that real kubelets write.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from pecia_operator.testing.copying import copied
from pecia_operator.testing.objects import ApiFailure, now
from pecia_operator.testing.ownership import Object
from pecia_operator.testing.pod_status import Outcome, is_ready, status_of_pod
from pecia_operator.testing.store import Store, Writer

__all__ = ["Controllers", "Outcome"]

_MANAGER = Writer("kube-controller-manager")
_STATUS = Writer("kube-controller-manager", "status")
_KUBELET = Writer("kubelet", "status")
# Between two rounds: others change things too, and each round looks at everything.
_ROUND_S, _IDLE_S = 0.02, 0.25


@dataclass
class Controllers:
    """Acts on every change of the store, in a thread of its own.

    Attributes:
        store: the cluster.
        pod: what a pod does; by default it becomes ready.
        check: how a Job's program ends: its exit status and last words; None = it runs on.
        gpus: how many pods with a GPU find a node; None = all.
        overdue: names of Deployments whose progress deadline has passed.
        fewest: per Deployment, the fewest ready pods there ever were since its first was ready.
    """

    store: Store
    pod: Callable[[Object], Outcome] = lambda _: Outcome()
    check: Callable[[Object], tuple[int, str] | None] = lambda _: (0, "")
    gpus: int | None = None
    overdue: set[str] = field(default_factory=set)
    fewest: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Not running yet."""
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.errors: list[BaseException] = []

    def __enter__(self) -> Self:
        self.store.listeners.append(self._wake.set)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._wake.set()
        self._thread.join(10)
        self.store.listeners.remove(self._wake.set)

    def poke(self) -> None:
        """Look again, because the test has changed what pods do."""
        self._wake.set()

    def scale(self, name: str, replicas: int) -> None:
        """As the HorizontalPodAutoscaler does it."""
        with self.store.lock:
            deployment = self.store.get("deployments", name)
            assert deployment
            deployment["spec"]["replicas"] = replicas
            self._put("deployments", deployment, Writer("kube-controller-manager", "scale"))

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(_IDLE_S)
            time.sleep(_ROUND_S)
            self._wake.clear()
            try:
                with self.store.lock:
                    self.tick()
            except Exception as error:  # noqa: BLE001  shown by the test that waits in vain
                self.errors.append(error)

    def tick(self) -> None:
        """One round of everybody."""
        self.store.collect()
        for deployment in self.store.all("deployments"):
            self._roll(deployment)
        for job in self.store.all("jobs"):
            self._work(job)
        self._kubelets()
        for deployment in self.store.all("deployments"):
            self._tell(deployment)

    def _roll(self, deployment: Object) -> None:
        """Rolling update, with the surge and the gap that the strategy allows."""
        wanted, rolling = deployment["spec"]["replicas"], deployment["spec"]["strategy"]["rollingUpdate"]
        pods = self._pods_of(deployment)
        digest = template_digest(deployment)
        new = [pod for pod in pods if pod["metadata"]["labels"]["pod-template-hash"] == digest]
        old = [pod for pod in pods if pod not in new]
        for pod in new[wanted:]:
            self._delete("pods", pod)
        room = wanted + rolling["maxSurge"] - len(pods)
        for number in range(min(max(0, wanted - len(new)), max(0, room))):
            self._make_pod(deployment, digest, f"{len(self.store.history)}{number}")
        ready = [pod for pod in pods if is_ready(pod)]
        spare = len(ready) - (wanted - rolling["maxUnavailable"])
        for pod in sorted(old, key=is_ready):
            if is_ready(pod):
                spare -= 1
                if spare < 0:
                    break
            self._delete("pods", pod)

    def _pods_of(self, owner: Object) -> list[Object]:
        labels = owner["spec"]["selector"]["matchLabels"]
        return [pod for pod in self.store.all("pods", labels) if "deletionTimestamp" not in pod["metadata"]]

    def _make_pod(self, deployment: Object, digest: str, suffix: str) -> None:
        template = copied(deployment["spec"]["template"])
        template["metadata"]["labels"]["pod-template-hash"] = digest
        name = f"{deployment['metadata']['name']}-{digest[:6]}-{suffix}"
        self._make(
            "pods", {"metadata": {**template["metadata"], "name": name}, "spec": template["spec"]}, deployment
        )

    def _make(self, plural: str, obj: Object, owner: Object) -> None:
        obj["metadata"]["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
        resource = next(one for one in self.store.resources.values() if one.plural == plural)
        self.store.create(resource, owner["metadata"]["namespace"], obj, _MANAGER)

    def _work(self, job: Object) -> None:
        """One try of a Job; the exit statuses that are final need no other."""
        if (job.get("status") or {}).get("conditions"):
            return
        own = [pod for pod in self.store.all("pods") if _owned(pod, job)]
        if not own:
            template = copied(job["spec"]["template"])
            metadata = {**template["metadata"], "name": f"{job['metadata']['name']}-x"}
            self._make("pods", {"metadata": metadata, "spec": template["spec"]}, job)
            return
        ended = self.check(job)
        if ended is None:
            return
        code, words = ended
        outcome = Outcome("done" if code == 0 else "failed", words, code)
        self._put("pods", {**own[0], "status": status_of_pod(own[0], outcome)}, _KUBELET)
        said = {"type": "Failed" if code else "Complete", "status": "True", "lastTransitionTime": now()}
        reason = {"reason": "PodFailurePolicy", "message": f"exit code {code}"} if code else {}
        self._put("jobs", {**job, "status": {"conditions": [said | reason]}}, _STATUS)

    def _kubelets(self) -> None:
        """Every pod that a Deployment made gets the status its test wants."""
        with_gpu = 0
        # Whoever has a GPU keeps it.
        for pod in sorted(self.store.all("pods"), key=is_ready, reverse=True):
            if "pod-template-hash" not in pod["metadata"].get("labels", {}):
                continue
            outcome = self.pod(pod)
            limits = pod["spec"]["containers"][0]["resources"]["limits"]
            if "nvidia.com/gpu" in limits and self.gpus is not None:
                with_gpu += 1
                if with_gpu > self.gpus:
                    outcome = Outcome(
                        "unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
                    )
            status = status_of_pod(pod, outcome)
            if pod.get("status") != status:
                self._put("pods", {**pod, "status": status}, _KUBELET)

    def _tell(self, deployment: Object) -> None:
        """The status of a Deployment."""
        pods, digest = self._pods_of(deployment), template_digest(deployment)
        new = [pod for pod in pods if pod["metadata"]["labels"]["pod-template-hash"] == digest]
        ready = [pod for pod in pods if is_ready(pod)]
        name = deployment["metadata"]["name"]
        if ready or name in self.fewest:
            self.fewest[name] = min(len(ready), self.fewest.get(name, len(ready)))
        late = (
            name in self.overdue
            and len([pod for pod in new if is_ready(pod)]) < deployment["spec"]["replicas"]
        )
        progressing = {
            "type": "Progressing",
            "status": "False" if late else "True",
            "reason": "ProgressDeadlineExceeded" if late else "ReplicaSetUpdated",
        }
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(new),
            "readyReplicas": len(ready),
            "availableReplicas": len(ready),
            "conditions": [progressing],
        }
        if deployment.get("status") != status:
            self._put("deployments", {**deployment, "status": status}, _STATUS)

    def _put(self, plural: str, obj: Any, writer: Writer) -> None:
        resource = next(one for one in self.store.resources.values() if one.plural == plural)
        key = (*resource.key, obj["metadata"]["namespace"], obj["metadata"]["name"])
        body = {**obj, "metadata": {**obj["metadata"]}}
        del body["metadata"]["resourceVersion"]
        self.store.update(resource, key, body, writer)

    def _delete(self, plural: str, obj: Object) -> None:
        resource = next(one for one in self.store.resources.values() if one.plural == plural)
        try:
            self.store.delete(
                resource, (*resource.key, obj["metadata"]["namespace"], obj["metadata"]["name"])
            )
        except ApiFailure as error:
            if error.status != 404:
                raise


def template_digest(deployment: Object) -> str:
    """Names a pod template, as a ReplicaSet's hash does: here the revision is as good."""
    return str(deployment["spec"]["template"]["metadata"]["labels"]["pecia.dev/revision"])


def _owned(pod: Object, owner: Object) -> bool:
    references = pod["metadata"].get("ownerReferences", ())
    return any(one["uid"] == owner["metadata"]["uid"] for one in references)
