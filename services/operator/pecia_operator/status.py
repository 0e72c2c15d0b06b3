"""What is said about a model: its conditions, and one word for people. From what was seen and decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pecia_operator.desired.pod import selector
from pecia_operator.failures import Failure
from pecia_operator.model import Object
from pecia_operator.names import GRPC_PORT, object_name
from pecia_operator.observed import Observed, condition, is_complete, is_true, ready_pods, template_revision
from pecia_operator.rollout import Plan
from pecia_operator.verification import Verification

BLOCKED = "BlockedByFailedLoad"


@dataclass(frozen=True, slots=True)
class Said:
    """One condition, without its times."""

    kind: str
    status: str
    reason: str
    message: str


def status_of(seen: Observed, plan: Plan, weights: Verification) -> Object:
    """The whole `status` of an OCRModel."""
    conditions = _conditions(seen, plan, weights)
    deployment = (seen.deployment or {}).get("status") or {}
    status: Object = {
        "observedGeneration": seen.model.generation,
        "phase": _phase(seen, plan, weights),
        "rollout": _rollout(seen, plan, weights),
        "replicas": deployment.get("replicas", 0),
        "readyReplicas": len(ready_pods(seen.pods)),
        "selector": ",".join(f"{name}={value}" for name, value in sorted(selector(seen.model).items())),
        "endpoint": f"dns:///{object_name(seen.model.name)}.{seen.model.namespace}.svc:{GRPC_PORT}",
        "targetRevision": plan.target.name,
        "conditions": dated(conditions, seen.model.status, seen.model.generation, seen.now),
    }
    for name, value in (("activeRevision", plan.active), ("failedRevision", plan.failed)):
        if value:
            status[name] = value
    if failure := _last_failure(seen, plan.failure or weights.failure):
        status["lastFailure"] = failure
    return status


def invalid(status: Mapping[str, Any], generation: int, now: datetime, failure: Failure) -> Object:
    """The status of a model whose spec makes no sense, or which the cluster refuses. What runs goes on."""
    kept = {name: value for name, value in status.items() if name != "conditions"}
    said = [
        Said("Ready", "False", failure.reason, failure.message),
        Said("Progressing", "False", failure.reason, failure.message),
    ]
    others = [
        Said(one["type"], one["status"], one["reason"], one["message"])
        for one in status.get("conditions") or []
        if one["type"] not in {"Ready", "Progressing"}
    ]
    return kept | {
        "observedGeneration": generation,
        "phase": "Failed",
        "rollout": "InvalidSpec",
        "lastFailure": _failure(status, failure, now),
        "conditions": dated([*said, *others], status, generation, now),
    }


def _conditions(seen: Observed, plan: Plan, weights: Verification) -> list[Said]:
    progressing, available = _progressing(seen, plan, weights), _available(seen)
    said = [
        _ready(seen, plan, progressing, available),
        Said("WeightsReady", weights.status, weights.reason, weights.message),
        progressing,
        available,
    ]
    if seen.model.spec.scaling:
        said.append(_scaling(seen))
    return said


def _ready(seen: Observed, plan: Plan, progressing: Said, available: Said) -> Said:
    """Whether what the spec asks for is what reads."""
    if _is_up_to_date(seen, plan):
        if available.status == "True" or available.reason == "ScaledToZero":
            return Said("Ready", available.status, available.reason, available.message)
        return Said("Ready", "False", available.reason, _troubled(plan.failure) or available.message)
    return Said("Ready", "False", progressing.reason, progressing.message)


def _troubled(failure: Failure | None) -> str:
    return failure.message if failure else ""


def _is_up_to_date(seen: Observed, plan: Plan) -> bool:
    """Not as soon as the Deployment says so: it may have been read after the pods, which then tell less."""
    on_target = template_revision(seen.deployment) == plan.target.name and not plan.failed
    return on_target and (plan.active == plan.target.name or _is_idle(seen))


def _is_idle(seen: Observed) -> bool:
    return seen.deployment is not None and seen.deployment["spec"].get("replicas", 1) == 0


def _progressing(seen: Observed, plan: Plan, weights: Verification) -> Said:
    failure = plan.failure
    if plan.failed:
        return Said("Progressing", "False", BLOCKED, _blocked(seen, plan))
    if not weights.ready and template_revision(seen.deployment) != plan.target.name:
        reason = "WaitingForWeights" if weights.status == "Unknown" else weights.reason
        return Said("Progressing", "False", reason, weights.message)
    if _is_up_to_date(seen, plan):
        if failure and not is_complete(seen.deployment):
            return Said("Progressing", "True", failure.reason, failure.message)
        return Said("Progressing", "True", "UpToDate", f"Revision {plan.target.name} is the one asked for.")
    if failure:
        status = "False" if failure.final else "True"
        return Said("Progressing", status, failure.reason, failure.message)
    return Said(
        "Progressing", "True", "RollingOut", f"Revision {plan.target.name} is starting.{_gap(seen, plan)}"
    )


def _gap(seen: Observed, plan: Plan) -> str:
    """What a person should know who has one pod and replaces it."""
    alone = seen.model.spec.replicas == 1 and not seen.model.spec.scaling
    if plan.active and alone and seen.model.spec.rollout.strategy == "Replace":
        return (
            " With one pod and strategy Replace nothing reads until it is ready, or the former one put back."
        )
    return ""


def _blocked(seen: Observed, plan: Plan) -> str:
    last = seen.model.status.get("lastFailure") or {}
    known = last.get("message", "") if last.get("revision") == plan.target.name else ""
    if plan.failure and plan.failure.revision == plan.target.name:
        known = plan.failure.message
    serving = ready_pods(seen.pods, plan.active)
    was = "serves" if serving else "is put back, and no pod of it reads yet"
    return (
        f"Revision {plan.target.name} failed and was taken back; revision {plan.active} {was}. {known} "
        "Change the spec, or annotate the model with a new value of pecia.dev/retry to try the same again."
    )


def _available(seen: Observed) -> Said:
    ready = len(ready_pods(seen.pods))
    if ready:
        return Said("Available", "True", "PodsReady", "At least one pod reads pages.")
    if _is_idle(seen):
        return Said("Available", "False", "ScaledToZero", "No pod runs, and none is asked for.")
    return Said("Available", "False", "NoPodReady", "No pod reads pages.")


def _scaling(seen: Observed) -> Said:
    if not seen.keda:
        advice = "Install KEDA, or remove spec.scaling."
        message = f"The cluster knows no ScaledObject, so that nobody scales this model. {advice}"
        return Said("ScalingActive", "False", "KedaNotInstalled", message)
    said = condition(seen.scaled_object, "Ready")
    if is_true(seen.scaled_object, "Ready"):
        return Said("ScalingActive", "True", "ScaledObjectReady", "KEDA decides how many pods run.")
    if said.get("status") == "False":
        message = f"KEDA refuses: {said.get('message', 'it gives no reason')}"
        return Said("ScalingActive", "False", "ScaledObjectNotReady", message)
    return Said("ScalingActive", "Unknown", "Waiting", "KEDA has said nothing of the ScaledObject yet.")


def _rollout(seen: Observed, plan: Plan, weights: Verification) -> str:
    if plan.failed:
        return BLOCKED
    if not weights.ready and template_revision(seen.deployment) != plan.target.name:
        return "WaitingForWeights"
    return "UpToDate" if _is_up_to_date(seen, plan) else "InProgress"


def _phase(seen: Observed, plan: Plan, weights: Verification) -> str:
    if plan.failed:
        return "Blocked"
    if _is_up_to_date(seen, plan):
        return "Idle" if _is_idle(seen) else "Ready" if is_complete(seen.deployment) else "Degraded"
    if plan.failure and plan.failure.final:
        return "Failed"
    if ready_pods(seen.pods):
        return "Updating"
    if weights.failure:
        return "Failed"
    return "Loading" if weights.ready else "CheckingWeights"


def dated(said: Sequence[Said], status: Mapping[str, Any], generation: int, now: datetime) -> list[Object]:
    """Conditions with their times: the former one's, where its status has not changed."""
    former = {one["type"]: one for one in status.get("conditions") or []}
    return [
        {
            "type": one.kind,
            "status": one.status,
            "reason": one.reason,
            "message": one.message,
            "observedGeneration": generation,
            "lastTransitionTime": _since(former.get(one.kind), one.status, now),
        }
        for one in said
    ]


def _since(former: Mapping[str, Any] | None, status: str, now: datetime) -> str:
    return str(former["lastTransitionTime"]) if former and former["status"] == status else timestamp(now)


def timestamp(now: datetime) -> str:
    """A time as Kubernetes writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _last_failure(seen: Observed, failure: Failure | None) -> Object | None:
    if failure is None:
        return seen.model.status.get("lastFailure")
    return _failure(seen.model.status, failure, seen.now)


def _failure(status: Mapping[str, Any], failure: Failure, now: datetime) -> Object:
    """With the time it was first seen, if it is the one that is known."""
    said: Object = {"reason": failure.reason, "message": failure.message}
    if failure.revision:
        said["revision"] = failure.revision
    if failure.pod:
        said["pod"] = failure.pod
    if failure.exit_code is not None:
        said["exitCode"] = failure.exit_code
    known = status.get("lastFailure") or {}
    same = all(known.get(name) == said.get(name) for name in ("reason", "revision"))
    return said | {"time": known["time"] if same and "time" in known else timestamp(now)}
