"""Models, revisions and pods in the shapes that Kubernetes writes them, for decisions without a cluster."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pecia_operator.desired.pod import target_revision
from pecia_operator.desired.workload import deployment, record
from pecia_operator.model import Model, Object, parse_model
from pecia_operator.observed import Observed, is_true, revision_of
from pecia_operator.revision import Revision
from pecia_operator.rollout import Plan, plan
from pecia_operator.settings import OperatorSettings, RolloutSettings
from pecia_operator.status import status_of
from pecia_operator.testing.pod_status import Outcome, status_of_pod
from pecia_operator.verification import verify

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIMITS = RolloutSettings()
S3 = {"s3": {"bucket": "weights"}}
LOADING_FAILED = '{"level": "WARNING", "event": "Engine unavailable", "reason": "No tokenizer.json."}\n'


def model(status: dict[str, Any] | None = None, **spec: Any) -> Model:
    """A model with a status as it was written last."""
    metadata = {"name": "m", "namespace": "default", "uid": "u", "generation": 2}
    return parse_model({"metadata": metadata, "spec": {"engine": "rapid", **spec}, "status": status or {}})


def revision(of: Model, image: str = "new") -> Revision:
    """One that would be made for another image."""
    spec = of.spec.model_copy(update={"image": image})
    return target_revision(replace(of, spec=spec), OperatorSettings())


def pod(of: Revision, outcome: Outcome, name: str = "p", age_s: float = 10) -> Object:
    """A pod of a revision, after something became of it."""
    made = (NOW - timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {**of.template["metadata"], "name": name, "creationTimestamp": made}
    bare: Object = {"metadata": metadata, "spec": of.template["spec"]}
    return bare | {"status": status_of_pod(bare, outcome)}


def rolled(of: Model, to: Revision, ready: int, **status: Any) -> Object:
    """A Deployment that has been told of a revision and has so many pods of it ready."""
    made = deployment(of, to, of.spec.replicas, LIMITS)
    made["metadata"]["generation"] = 3
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), ready)
    return made | {"status": {"observedGeneration": 3, **counts, **status}}


def seen(of: Model, to: Revision | None, pods: Sequence[Object], *known: Revision, **more: Any) -> Observed:
    """What the operator reads."""
    ready = [revision_of(one) for one in pods if is_true(one, "Ready")]
    recorded = [record(of, one, number) for number, one in enumerate(known)]
    held = (
        rolled(of, to, len(ready), updatedReplicas=ready.count(to.name), replicas=len(pods)) if to else None
    )
    return Observed(model=of, now=NOW, **({"deployment": held, "pods": pods, "records": recorded} | more))


def decide(observed: Observed, target: Revision) -> tuple[Plan, Object]:
    """The plan, and what is said of it."""
    checked = verify(observed, LIMITS)
    decided = plan(observed, target, LIMITS, weights_ready=checked.ready)
    return decided, status_of(observed, decided, checked)


def said(status: Object, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    (one,) = [one for one in status["conditions"] if one["type"] == kind]
    return one["status"], one["reason"]
