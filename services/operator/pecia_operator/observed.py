"""What the cluster says: the objects of one model as they were read, and how to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pecia_operator.model import Model, Object
from pecia_operator.names import REVISION_LABEL
from pecia_operator.revision import Revision, read_revision


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision about one model rests on.

    Attributes:
        now: when it was read, UTC.
        deployment: with the model's pods; None = there is none.
        pods: that read, of all revisions.
        job: that looks at the weights the spec names; None = there is none.
        job_pods: its pods.
        jobs: all of the model, former ones too.
        scaled_object: None = there is none, or KEDA is not installed.
        records: ControllerRevisions, of which any can be put back.
        shared_env: digest of the settings that all pods share.
        keda: whether the cluster knows ScaledObjects.
    """

    model: Model
    now: datetime
    deployment: Object | None = None
    pods: Sequence[Object] = ()
    job: Object | None = None
    job_pods: Sequence[Object] = ()
    jobs: Sequence[Object] = ()
    scaled_object: Object | None = None
    records: Sequence[Object] = ()
    shared_env: str = ""
    keda: bool = True

    def record(self, name: str) -> Revision | None:
        """A revision that can be put back."""
        return next((read_revision(one) for one in self.records if revision_of(one) == name), None)


def revision_of(thing: Mapping[str, Any]) -> str:
    """The revision an object belongs to; empty = none."""
    return str((thing["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def condition(thing: Mapping[str, Any] | None, kind: str) -> Mapping[str, Any]:
    """One condition of an object's status; empty = it has none."""
    conditions = ((thing or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def is_true(thing: Mapping[str, Any] | None, kind: str) -> bool:
    """Whether an object says so of itself."""
    return condition(thing, kind).get("status") == "True"


def is_leaving(thing: Mapping[str, Any]) -> bool:
    """Whether an object is being deleted."""
    return "deletionTimestamp" in thing["metadata"]


def age_s(thing: Mapping[str, Any], now: datetime) -> float:
    """Seconds since an object was made."""
    return (now - moment(thing["metadata"]["creationTimestamp"])).total_seconds()


def moment(said: str) -> datetime:
    """A time as Kubernetes writes it."""
    return datetime.fromisoformat(said)


def ready_pods(pods: Sequence[Object], revision: str = "") -> list[Object]:
    """Pods that read, of one revision or of all."""
    return [
        pod
        for pod in pods
        if is_true(pod, "Ready") and not is_leaving(pod) and revision in {"", revision_of(pod)}
    ]


def template_revision(deployment: Object | None) -> str:
    """The revision a Deployment is bringing up, or has; empty = none."""
    return revision_of(deployment["spec"]["template"]) if deployment else ""


def is_complete(deployment: Object | None) -> bool:
    """Whether all pods of a Deployment are of its newest template, ready, and at least one."""
    if deployment is None:
        return False
    said = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    counts = {said.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return bool(wanted) and _has_been_seen(deployment) and counts == {wanted}


def is_overdue(deployment: Object | None) -> bool:
    """Whether the Deployment's controller has given its newest template up."""
    if deployment is None or not _has_been_seen(deployment):
        return False
    return condition(deployment, "Progressing").get("reason") == "ProgressDeadlineExceeded"


def _has_been_seen(deployment: Object) -> bool:
    seen = (deployment.get("status") or {}).get("observedGeneration", 0)
    return int(seen) >= int(deployment["metadata"].get("generation", 1))
