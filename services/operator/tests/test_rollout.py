"""Which revision runs, and what is said of one that fails, from pods in the shapes that kubelets write."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pecia_operator.observed import Observed
from pecia_operator.testing.builders import (
    LIMITS,
    LOADING_FAILED,
    NOW,
    S3,
    decide,
    model,
    pod,
    revision,
    rolled,
    said,
    seen,
)
from pecia_operator.testing.pod_status import Outcome
from pecia_operator.verification import verify


def test_a_first_revision_runs_and_becomes_active() -> None:
    """From nothing over loading to ready."""
    of = model()
    new = revision(of)
    decided, status = decide(seen(of, None, []), new)
    assert (decided.run, status["phase"], said(status, "Ready")) == (new, "Loading", ("False", "RollingOut"))
    decided, status = decide(seen(of, new, [pod(new, Outcome("loading"))]), new)
    assert (decided.active, status["phase"]) == ("", "Loading")
    decided, status = decide(seen(of, new, [pod(new, Outcome())]), new)
    assert (decided.active, status["phase"], status["rollout"]) == (new.name, "Ready", "UpToDate")
    assert said(status, "Ready") == said(status, "Available") == ("True", "PodsReady")
    assert status["endpoint"] == "dns:///ocrmodel-m.default.svc:50051"


def test_ready_waits_for_the_pods_that_read() -> None:
    """A Deployment that became complete after its pods were listed: the revision before is the active one."""
    of = model(status={"activeRevision": "before"})
    new = revision(of)
    early = replace(seen(of, new, [pod(new, Outcome("loading"))]), deployment=rolled(of, new, 1))
    decided, status = decide(early, new)
    assert (decided.active, status["phase"], status["rollout"]) == ("before", "Loading", "InProgress")
    assert said(status, "Ready") == ("False", "RollingOut")


FAILURES = [
    (Outcome("no-image", "manifest unknown"), 300, "ImagePullFailed", True, "spec.imagePullSecrets"),
    (Outcome("no-image", "manifest unknown"), 30, "ImagePullFailed", False, "manifest unknown"),
    (
        Outcome("unschedulable", "0/3 nodes: 3 Insufficient nvidia.com/gpu."),
        30,
        "Unschedulable",
        False,
        "Replace",
    ),
    (
        Outcome("unschedulable", "0/3 nodes: 3 Insufficient cpu."),
        30,
        "Unschedulable",
        False,
        "spec.resources",
    ),
    (Outcome("crashing", LOADING_FAILED, 1, 1), 30, "ModelLoadFailed", False, "No tokenizer.json"),
    (Outcome("crashing", LOADING_FAILED, 1, 2), 30, "ModelLoadFailed", True, "kubectl logs --previous"),
    (
        Outcome("crashing", "", 137, 2, ran=("2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z")),
        2000,
        "ModelLoadFailed",
        True,
        "spec.startup.timeoutSeconds",
    ),
    (
        Outcome("crashing", "torch.OutOfMemoryError: CUDA out of memory.", 1, 2),
        30,
        "OutOfGPUMemory",
        True,
        "PAGES_AT_ONCE",
    ),
    (Outcome("oom", restarts=2), 30, "OutOfMemory", True, "spec.resources.memory"),
    (Outcome("no-config", 'secret "tls" not found'), 300, "InvalidSpec", True, 'secret "tls" not found'),
    (
        Outcome("crashing", '{"reason": "There is no config.json."}', 10, 2, "weights"),
        30,
        "WeightsNotFound",
        True,
        "config.json",
    ),
]


@pytest.mark.parametrize(("outcome", "age_s", "reason", "final", "words"), FAILURES)
def test_a_new_pods_trouble_has_its_name(
    outcome: Outcome, age_s: float, reason: str, final: bool, words: str
) -> None:
    """Each is told with what to do; where waiting is useless, the revision that served is put back."""
    of = model(engine="deepseek", weights=S3, resources={"gpu": 1})
    old, new = revision(of, "old"), revision(of)
    of = replace(of, status={"activeRevision": old.name})
    job = {"metadata": {"uid": "j"}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    pods = [pod(old, Outcome(), "old"), pod(new, outcome, "new", age_s)]
    decided, status = decide(seen(of, new, pods, old, new, job=job), new)
    assert decided.failure
    assert (decided.failure.reason, decided.failure.final) == (reason, final)
    assert words in decided.failure.message
    assert decided.run == (old if final else new)
    assert status["lastFailure"] | {"time": ""} == {
        "reason": reason,
        "message": decided.failure.message,
        "revision": new.name,
        "pod": "new",
        "time": "",
    } | ({"exitCode": decided.failure.exit_code} if decided.failure.exit_code is not None else {})
    if final:
        assert (status["phase"], status["rollout"]) == ("Blocked", "BlockedByFailedLoad")
        assert said(status, "Ready") == ("False", "BlockedByFailedLoad")
        assert said(status, "Available") == ("True", "PodsReady")
    else:
        assert said(status, "Progressing") == ("True", reason)
        assert status["phase"] == "Updating"


def test_what_failed_is_not_tried_again_until_something_changes() -> None:
    """The same spec stays blocked; another one, or a wish to retry, is tried; going back is up to date."""
    of = model()
    old, new, newer = revision(of, "old"), revision(of), revision(of, "newer")
    of = replace(of, status={"activeRevision": old.name, "failedRevision": new.name})
    observed = seen(of, old, [pod(old, Outcome())], old, new)
    decided, status = decide(observed, new)
    assert (decided.run, status["phase"], status["failedRevision"]) == (old, "Blocked", new.name)
    assert (
        "pecia.dev/retry"
        in next(one for one in status["conditions"] if one["type"] == "Progressing")["message"]
    )
    decided, status = decide(observed, newer)
    assert (decided.run, "failedRevision" in status, status["phase"]) == (newer, False, "Updating")
    decided, status = decide(observed, old)
    assert (decided.run, status["phase"], "failedRevision" in status) == (old, "Ready", False)


def test_a_first_revision_that_fails_stays() -> None:
    """There is nothing to put back: the cluster goes on trying, and it says so."""
    of = model()
    new = revision(of)
    decided, status = decide(seen(of, new, [pod(new, Outcome("crashing", LOADING_FAILED, 1, 5))], new), new)
    assert (decided.run, decided.failed, status["phase"]) == (new, "", "Failed")
    assert said(status, "Ready") == ("False", "ModelLoadFailed")


def test_one_pod_and_one_gpu() -> None:
    """Replace: it is said that nothing reads meanwhile, and that the former one comes back."""
    of = model(rollout={"strategy": "Replace"})
    old, new = revision(of, "old"), revision(of)
    of = replace(of, status={"activeRevision": old.name})
    _, status = decide(seen(of, new, [pod(new, Outcome("loading"))], old, new), new)
    progress = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert "nothing reads until it is ready, or the former one put back" in progress["message"]
    crashed = [pod(new, Outcome("crashing", LOADING_FAILED, 1, 2))]
    decided, status = decide(seen(of, new, crashed, old, new), new)
    assert decided.run == old
    assert said(status, "Available") == ("False", "NoPodReady")
    progress = next(one for one in status["conditions"] if one["type"] == "Progressing")
    assert f"revision {old.name} is put back, and no pod of it reads yet" in progress["message"]


def test_a_proven_revision_is_never_taken_back() -> None:
    """Pods that fail after they have read are unhealthy: that is not the spec's fault."""
    of = model(replicas=2)
    new, old = revision(of), revision(of, "old")
    of = replace(of, status={"activeRevision": new.name})
    pods = [pod(new, Outcome(), "a"), pod(new, Outcome("crashing", "Segmentation fault", 139, 9), "b")]
    observed = seen(of, new, pods, old, new)
    decided, status = decide(replace(observed, deployment=rolled(of, new, 1)), new)
    assert decided.failure
    assert (decided.run, decided.failure.reason, decided.failure.final) == (new, "RuntimeUnhealthy", False)
    assert (status["phase"], said(status, "Ready")) == ("Degraded", ("True", "PodsReady"))


def test_a_deadline_that_passed_ends_the_waiting() -> None:
    """The pod's own trouble is the reason where there is one; else the deadline itself."""
    of = model()
    old, new = revision(of, "old"), revision(of)
    of = replace(of, status={"activeRevision": old.name})
    late = rolled(of, new, 0, conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}])
    waiting = pod(new, Outcome("unschedulable", "0/3 nodes: 3 Insufficient cpu."))
    for pods, reason in (([waiting], "Unschedulable"), ([], "ProgressDeadlineExceeded")):
        observed = replace(seen(of, new, [pod(old, Outcome(), "old"), *pods], old, new), deployment=late)
        decided, _ = decide(observed, new)
        assert decided.failure
        assert (decided.failure.reason, decided.run) == (reason, old)


def test_pods_that_are_not_made() -> None:
    """A quota, and everything else the cluster refuses."""
    of = model()
    new = revision(of)
    for words, reason in (
        ('pods "x" is forbidden: exceeded quota: compute', "QuotaExceeded"),
        ('serviceaccount "ocr" not found', "InvalidSpec"),
    ):
        refused = [{"type": "ReplicaFailure", "status": "True", "message": words}]
        decided, _ = decide(
            replace(seen(of, new, [], new), deployment=rolled(of, new, 0, conditions=refused)), new
        )
        assert decided.failure
        assert (decided.failure.reason, words in decided.failure.message) == (reason, True)


def test_a_lost_status_is_found_again() -> None:
    """Pods that read now tell which revision served, so that a failing one can still be taken back."""
    of = model()
    old, new = revision(of, "old"), revision(of)
    pods = [pod(old, Outcome(), "old"), pod(new, Outcome("crashing", LOADING_FAILED, 1, 3), "new")]
    held = replace(seen(of, new, pods, old, new), deployment=rolled(of, new, 1, replicas=2))
    decided, _ = decide(held, new)
    assert (decided.active, decided.run) == (old.name, old)


def weighed(status: dict[str, Any] | None, code: int = 0, words: str = "") -> Observed:
    """A model whose Job has come so far."""
    of = model(engine="deepseek", weights=S3)
    old, new = revision(of, "old"), revision(of)
    of = replace(of, status={"activeRevision": old.name})
    made = {"creationTimestamp": "2026-11-21T11:59:00Z", "name": "j", "uid": "j"}
    job = {"metadata": made, "status": status} if status is not None else None
    ended = {"name": "weights", "image": "i", "state": {"terminated": {"exitCode": code, "message": words}}}
    job_pods = [
        {"metadata": made | {"name": "j-x"}, "status": {"phase": "Failed", "containerStatuses": [ended]}}
    ]
    return seen(of, old, [pod(old, Outcome())], old, new, job=job, job_pods=job_pods if code else [])


def test_no_pod_is_touched_before_the_weights_are_right() -> None:
    """While they are looked at, and after they were found wrong, the former revision runs on."""
    target = revision(weighed(None).model)
    for status, code, reason in (
        (None, 0, "WaitingForWeights"),
        ({}, 0, "WaitingForWeights"),
        ({"conditions": [_ended("Failed")]}, 11, "WeightsChecksumMismatch"),
        ({"conditions": [_ended("Failed")]}, 10, "WeightsNotFound"),
        ({"conditions": [_ended("Failed")]}, 12, "WeightsAccessDenied"),
        ({"conditions": [_ended("Failed")]}, 1, "WeightsFetchFailed"),
    ):
        decided, said_of_it = decide(weighed(status, code, '{"reason": "Upload it again."}'), target)
        assert decided.run
        assert decided.run.template["spec"]["containers"][0]["image"] == "old"
        assert said(said_of_it, "Progressing") == ("False", reason)
        assert said(said_of_it, "Available") == ("True", "PodsReady")
        if code:
            assert said_of_it["lastFailure"]["message"] == "Upload it again"
    decided, _ = decide(weighed({"conditions": [_ended("Complete")]}), target)
    assert decided.run == target


def _ended(kind: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "lastTransitionTime": "2026-11-21T11:59:30Z"}


def test_weights_that_failed_are_looked_at_again_later() -> None:
    """Somebody may have repaired the bucket; not at once, or a broken one would be read all day."""
    failed = weighed({"conditions": [_ended("Failed")]}, 11)
    assert not verify(failed, LIMITS).look_again
    assert verify(replace(failed, now=NOW + timedelta(minutes=11)), LIMITS).look_again
