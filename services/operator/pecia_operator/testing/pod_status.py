"""Statuses of pods in the shapes that schedulers and kubelets write them."""

from dataclasses import dataclass
from typing import Any

from pecia_operator.testing.objects import now
from pecia_operator.testing.ownership import Object


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a pod.

    Attributes:
        kind: ready, loading, crashing, no-image, no-config, unschedulable, oom, done, failed.
        words: the end of its log, or what the scheduler or the registry said.
        restarts: how often it has been started again.
        container: in which container, where that is not the one that reads.
    """

    kind: str = "ready"
    words: str = ""
    exit_code: int = 1
    restarts: int = 0
    container: str = ""
    ran: tuple[str, str] = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:20Z")


def is_ready(pod: Object) -> bool:
    """Whether a pod says so."""
    conditions = (pod.get("status") or {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def status_of_pod(pod: Object, outcome: Outcome) -> dict[str, Any]:
    """What its kubelet would say. Times stay as they were while nothing changes."""
    before = {one["type"]: one for one in (pod.get("status") or {}).get("conditions", ())}

    def said(kind: str, status: str, **more: str) -> dict[str, str]:
        same = before.get(kind, {}).get("status") == status
        return {
            "type": kind,
            "status": status,
            "lastTransitionTime": before[kind]["lastTransitionTime"] if same else now(),
            **more,
        }

    if outcome.kind == "unschedulable":
        scheduled = said("PodScheduled", "False", reason="Unschedulable", message=outcome.words)
        return {"phase": "Pending", "conditions": [scheduled]}
    phases = {
        "ready": "Running",
        "done": "Succeeded",
        "failed": "Failed",
        "no-image": "Pending",
        "no-config": "Pending",
    }
    ready = "True" if outcome.kind == "ready" else "False"
    containers, inits = _containers(pod, outcome)
    status = {
        "phase": phases.get(outcome.kind, "Running"),
        "conditions": [said("PodScheduled", "True"), said("Ready", ready)],
        "containerStatuses": containers,
    }
    return status | ({"initContainerStatuses": inits} if inits else {})


def _containers(pod: Object, outcome: Outcome) -> tuple[list[Object], list[Object]]:
    main = pod["spec"]["containers"][0]
    inits = pod["spec"].get("initContainers", [])
    if outcome.container:
        waiting = {"state": {"waiting": {"reason": "PodInitializing"}}, "lastState": {}}
        others = [_container(one, outcome) for one in inits if one["name"] == outcome.container]
        return [_about(main, 0) | waiting], others
    done = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "lastState": {}}
    return [_container(main, outcome)], [_about(one, 0) | done for one in inits]


def _about(container: Object, restarts: int) -> Object:
    return {"name": container["name"], "image": container["image"], "ready": False, "restartCount": restarts}


def _container(container: Object, outcome: Outcome) -> Object:
    about = _about(container, outcome.restarts)
    ended = {
        "terminated": {
            "exitCode": outcome.exit_code,
            "reason": "Error" if outcome.exit_code else "Completed",
            "message": outcome.words,
            "startedAt": outcome.ran[0],
            "finishedAt": outcome.ran[1],
        }
    }
    waiting: dict[str, Any] = {}
    match outcome.kind:
        case "ready":
            return about | {"ready": True, "started": True, "state": {"running": {}}, "lastState": {}}
        case "loading":
            return about | {"started": False, "state": {"running": {}}, "lastState": {}}
        case "no-image":
            waiting = {"reason": "ImagePullBackOff", "message": outcome.words}
            return about | {"state": {"waiting": waiting}, "lastState": {}}
        case "no-config":
            waiting = {"reason": "CreateContainerConfigError", "message": outcome.words}
            return about | {"state": {"waiting": waiting}, "lastState": {}}
        case "oom":
            ended["terminated"] |= {"reason": "OOMKilled", "exitCode": 137, "message": ""}
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}
            return about | {"state": {"waiting": waiting}, "lastState": ended}
        case "done" | "failed":
            return about | {"state": ended, "lastState": {}}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}
    return about | {"state": {"waiting": waiting}, "lastState": ended}
