"""What is wrong with pods that do not read, in one word and in words that say what to do."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pecia_operator.desired.weights import FINAL_STATUSES
from pecia_operator.model import Model, Object
from pecia_operator.names import GPU
from pecia_operator.observed import (
    age_s,
    condition,
    is_leaving,
    is_overdue,
    is_true,
    moment,
    revision_of,
)
from pecia_operator.settings import RolloutSettings

_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_NO_CONTAINER = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_GPU_MEMORY = re.compile(
    r"cuda out of memory|gpu_out_of_memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE
)
_LONGEST_WORDS = 300
_KILLED = 137


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong.

    Attributes:
        reason: one of the words of docs/operator.md.
        message: what happened and what to do next.
        final: waiting would not help; the revision has failed.
    """

    reason: str
    message: str
    revision: str = ""
    pod: str = ""
    exit_code: int | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What a revision's pods are judged by.

    Attributes:
        proven: its pods have read before, so that what fails now is not the revision itself.
    """

    model: Model
    revision: str
    proven: bool
    now: datetime
    settings: RolloutSettings


def failure_of(trial: Trial, pods: Sequence[Object], deployment: Object | None) -> Failure | None:
    """The most telling trouble of a revision; None = none that can be seen."""
    found = [
        failure
        for pod in pods
        if revision_of(pod) == trial.revision and not is_leaving(pod) and not is_true(pod, "Ready")
        for failure in _of_pod(trial, pod)
    ]
    found += _of_deployment(deployment)
    worst = max(found, key=lambda failure: failure.final, default=None)
    if is_overdue(deployment) and not trial.proven:
        worst = replace(worst, final=True) if worst else _overdue(trial)
    return replace(worst, revision=trial.revision) if worst else None


def _of_deployment(deployment: Object | None) -> Iterator[Failure]:
    """Pods that were never made."""
    refused = condition(deployment, "ReplicaFailure")
    if refused.get("status") != "True":
        return
    said = _short(str(refused.get("message", "")))
    if "exceeded quota" in said:
        advice = "Raise the namespace's ResourceQuota, or ask for less in spec.resources or spec.replicas."
        yield Failure(
            "QuotaExceeded", f"The namespace's quota leaves no room for another pod: {said}. {advice}"
        )
    else:
        advice = "Change what it names in the spec or in the namespace."
        yield Failure("InvalidSpec", f"The cluster refuses to make the pods: {said}. {advice}")


def failure_of_pod(trial: Trial, pod: Object) -> Failure | None:
    """The first trouble of one pod; None = none that can be seen."""
    return next(_of_pod(trial, pod), None)


def _of_pod(trial: Trial, pod: Object) -> Iterator[Failure]:
    name = pod["metadata"]["name"]
    status = pod.get("status") or {}
    waiting = condition(pod, "PodScheduled")
    if waiting.get("reason") == "Unschedulable":
        yield Failure("Unschedulable", _no_node(trial.model, str(waiting.get("message", ""))), pod=name)
    for said in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        failure = _of_container(trial, said, age_s(pod, trial.now))
        if failure:
            yield replace(failure, pod=name)
            return


def _no_node(model: Model, said: str) -> str:
    if GPU in said or (model.spec.resources.gpu and not said):
        strategy = (
            " or set spec.rollout.strategy to Replace, which needs no second GPU,"
            if model.spec.rollout.strategy == "Surge"
            else ""
        )
        return (
            f"No node has a free GPU. Add a node with one,{strategy} or wait for one to come. "
            f"The scheduler said: {_short(said)}"
        )
    return (
        "No node has room for the pod, or none that spec.scheduling allows. Add a node or ask for less in "
        f"spec.resources. The scheduler said: {_short(said)}"
    )


def _of_container(trial: Trial, said: Mapping[str, Any], age: float) -> Failure | None:
    waiting = (said.get("state") or {}).get("waiting") or {}
    reason, detail = waiting.get("reason", ""), _short(str(waiting.get("message", "")))
    patient = age <= trial.settings.patience_s
    if reason in _NO_IMAGE:
        final = reason == "InvalidImageName" or (reason == "ImagePullBackOff" and not patient)
        return Failure(
            "ImagePullFailed",
            f"The image {said.get('image', '')} cannot be pulled: {detail or reason}. Look whether name and "
            "tag exist, and whether spec.imagePullSecrets opens the registry.",
            final=final and not trial.proven,
        )
    if reason in _NO_CONTAINER:
        advice = "Make what it names, or change the spec."
        message = f"The container cannot be made: {detail or reason}. {advice}"
        return Failure("InvalidSpec", message, final=not patient and not trial.proven)
    return _of_end(trial, said)


def _of_end(trial: Trial, said: Mapping[str, Any]) -> Failure | None:
    """A container that ran and ended."""
    ends = [(said.get(state) or {}).get("terminated") for state in ("state", "lastState")]
    ended = next((end for end in ends if end), None)
    if ended is None or (said["name"] == "weights" and ended.get("exitCode") == 0):
        return None
    code = int(ended.get("exitCode", 0))
    reason, message = _reason(trial, said["name"], ended)
    restarts = int(said.get("restartCount", 0)) + (1 if ends[0] else 0)
    final = not trial.proven and restarts >= trial.settings.crashes
    return Failure(reason, message, exit_code=code, final=final)


def _reason(trial: Trial, container: str, ended: Mapping[str, Any]) -> tuple[str, str]:
    code, words = int(ended.get("exitCode", 0)), last_words(str(ended.get("message", "")))
    logs = "`kubectl logs --previous` of the pod shows more."
    said = f"It said: {words}." if words else "It said nothing."
    if container == "weights":
        return FINAL_STATUSES.get(code, "WeightsFetchFailed"), words or f"Fetching the weights failed. {logs}"
    if ended.get("reason") == "OOMKilled":
        limit = trial.model.spec.resources.memory
        return "OutOfMemory", f"It took more than its {limit} of memory. Raise spec.resources.memory."
    if _GPU_MEMORY.search(str(ended.get("message", ""))):
        advice = "Lower PECIA_DEEPSEEK__PAGES_AT_ONCE in spec.env, or take a larger GPU."
        return "OutOfGPUMemory", f"The GPU has too little memory for the model. {advice} It said: {words}"
    if trial.proven:
        return (
            "RuntimeUnhealthy",
            f"It ended with status {code} after it had read. {said} {logs}",
        )
    if code in {0, _KILLED, 143} and _ran_s(ended) >= trial.model.spec.startup.timeout_seconds - 10:
        limit_s = trial.model.spec.startup.timeout_seconds
        advice = f"Raise spec.startup.timeoutSeconds if it only needs longer. {logs}"
        return "ModelLoadFailed", f"The model was not loaded within {limit_s} s. {advice}"
    return (
        "ModelLoadFailed",
        f"It ended with status {code} before its model was loaded. {said} {logs}",
    )


def _ran_s(ended: Mapping[str, Any]) -> float:
    times = [ended.get(name) for name in ("startedAt", "finishedAt")]
    if not all(times):
        return 0.0
    return (moment(str(times[1])) - moment(str(times[0]))).total_seconds()


def _overdue(trial: Trial) -> Failure:
    limit_s = trial.model.spec.startup.timeout_seconds + trial.settings.scheduling_s
    return Failure(
        "ProgressDeadlineExceeded",
        f"No further pod became ready within {limit_s} s. `kubectl describe` of the pods shows why.",
        final=True,
    )


def last_words(message: str) -> str:
    """What a process said last, from the end of its log: the reason it gave, or its last line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and (words := said.get("reason") or said.get("exc_info")):
            return _short(str(words).splitlines()[-1])
    return _short(lines[-1]) if lines else ""


def _short(words: str) -> str:
    words = " ".join(words.split()).rstrip(".")
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}..."
