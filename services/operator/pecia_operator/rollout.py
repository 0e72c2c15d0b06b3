"""Which revision should run now: the one asked for, or the one that served while that one fails."""

from dataclasses import dataclass

from pecia_operator.failures import Failure, Trial, failure_of
from pecia_operator.model import Model
from pecia_operator.observed import Observed, is_complete, ready_pods, revision_of, template_revision
from pecia_operator.revision import Revision
from pecia_operator.settings import RolloutSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a model's pods.

    Attributes:
        target: what the spec asks for.
        run: what the Deployment should hold; None = no Deployment yet.
        active: name of the last revision whose pods have read; empty = none has.
        failed: name of the target, if it failed and another one was put back; else empty.
        failure: what is wrong with the pods now, if anything.
    """

    target: Revision
    run: Revision | None
    active: str
    failed: str
    failure: Failure | None


def plan(seen: Observed, target: Revision, settings: RolloutSettings, *, weights_ready: bool) -> Plan:
    """Decide.

    A target that has failed is not tried again: the same content has the same name. Whoever changes the
    spec, or the annotation pecia.dev/retry, asks for another revision. Without a revision to put back, a
    failing target stays where it is, and the cluster goes on trying.
    """
    active = _active(seen, target)
    back = seen.record(active) if active != target.name else None
    if back and seen.model.status.get("failedRevision") == target.name:
        return Plan(target, back, active, target.name, _trouble(seen, active, active, settings))
    deployed = template_revision(seen.deployment)
    if not weights_ready and deployed != target.name:
        run = back or seen.record(deployed)
        return Plan(target, run, active, "", _trouble(seen, deployed, active, settings))
    failure = _trouble(seen, target.name, active, settings)
    if back and failure and failure.final:
        return Plan(target, back, active, target.name, failure)
    return Plan(target, target, active, "", failure)


def _trouble(seen: Observed, revision: str, active: str, settings: RolloutSettings) -> Failure | None:
    """What is wrong with the pods of a revision; its Deployment counts only while it holds that revision."""
    trial = Trial(seen.model, revision, revision == active, seen.now, settings)
    deployment = seen.deployment if template_revision(seen.deployment) == revision else None
    return failure_of(trial, seen.pods, deployment)


def _active(seen: Observed, target: Revision) -> str:
    """The last revision whose pods have read.

    The status remembers it. Where the status was lost, the pods that read now tell it.
    """
    deployed = template_revision(seen.deployment)
    if is_complete(seen.deployment) and _has_ready(seen, deployed):
        return deployed
    if known := str(seen.model.status.get("activeRevision", "")):
        return known
    reading = {revision_of(pod) for pod in ready_pods(seen.pods)} - {target.name, ""}
    return min((name for name in reading if seen.record(name)), default="")


def _has_ready(seen: Observed, revision: str) -> bool:
    return bool(revision) and bool(ready_pods(seen.pods, revision))


def desired_replicas(model: Model, seen: Observed) -> int | None:
    """How many pods the Deployment is told to have; None = the autoscaler's number stays.

    When scaling is switched on the number is ours until the autoscaler writes its own. Were it let go before,
    the API server would fill in one, and a fleet of eight would lose seven pods for a minute.
    """
    if model.spec.scaling is None:
        return model.spec.replicas
    if seen.deployment is None or _others_own_replicas(seen):
        return None
    return int(seen.deployment["spec"].get("replicas", 1))


def _others_own_replicas(seen: Observed) -> bool:
    entries = (seen.deployment or {}).get("metadata", {}).get("managedFields") or []
    owners = {
        (entry.get("manager"), entry.get("subresource", ""))
        for entry in entries
        if "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
    }
    from_us = {owner for owner in owners if owner[0] == "pecia-operator"}
    return not from_us or bool(owners - from_us)
