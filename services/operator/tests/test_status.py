"""What is said of a model: conditions with their times, events, and who decides how many pods there are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pecia_operator.announcing import event, news
from pecia_operator.failures import Failure, last_words
from pecia_operator.model import Object
from pecia_operator.observed import Observed
from pecia_operator.rollout import desired_replicas
from pecia_operator.status import invalid
from pecia_operator.testing.builders import (
    LOADING_FAILED,
    NOW,
    decide,
    model,
    pod,
    revision,
    rolled,
    said,
    seen,
)
from pecia_operator.testing.pod_status import Outcome


def test_zero_pods_are_idle() -> None:
    """Nobody asked for any: that is no failure, and not ready either."""
    of = model(replicas=0)
    new = revision(of)
    decided, status = decide(seen(of, new, []), new)
    assert (decided.active, status["phase"]) == ("", "Idle")
    assert said(status, "Ready") == ("False", "ScaledToZero")


def owned(*managers: tuple[str, str]) -> Object:
    """A Deployment of eight whose number these have set."""
    fields: Object = {"f:spec": {"f:replicas": {}}}
    entries = [{"manager": name, "subresource": part, "fieldsV1": fields} for name, part in managers]
    return {"metadata": {"managedFields": entries}, "spec": {"replicas": 8}}


def test_the_autoscalers_number_is_left_alone() -> None:
    """Ours is kept only until it has written its own: let go before, it would fall to one."""
    scaling = {"queue": {"authenticationRef": "db"}}
    ours, theirs = ("pecia-operator", ""), ("kube-controller-manager", "scale")
    of = model(scaling=scaling)
    for managers, expected in (((ours,), 8), ((ours, theirs), None), ((theirs,), None), ((), None)):
        observed = Observed(model=of, now=NOW, deployment=owned(*managers))
        assert desired_replicas(of, observed) == expected
    assert desired_replicas(of, Observed(model=of, now=NOW)) is None
    assert desired_replicas(model(replicas=3), Observed(model=of, now=NOW, deployment=owned(theirs))) == 3


def test_scaling_says_who_scales() -> None:
    """KEDA, nobody because it is missing, or nobody because it refuses."""
    of = model(scaling={"queue": {"authenticationRef": "db"}})
    new = revision(of)
    refused = {"type": "Ready", "status": "False", "message": "no connection"}
    for more, expected in (
        ({"keda": False}, ("False", "KedaNotInstalled")),
        ({}, ("Unknown", "Waiting")),
        (
            {"scaled_object": {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}},
            ("True", "ScaledObjectReady"),
        ),
        ({"scaled_object": {"status": {"conditions": [refused]}}}, ("False", "ScaledObjectNotReady")),
    ):
        _, status = decide(seen(of, new, [pod(new, Outcome())], **more), new)
        assert said(status, "ScalingActive") == expected


def test_times_change_only_with_what_they_date() -> None:
    """A status that is worked out again is the same, to the letter; so nobody is woken for nothing."""
    of = model()
    new = revision(of)
    crashing = [pod(new, Outcome("crashing", LOADING_FAILED, 1, 3))]
    _, first = decide(seen(of, new, crashing, new), new)
    later = replace(seen(replace(of, status=first), new, crashing, new), now=NOW + timedelta(hours=1))
    _, second = decide(later, new)
    assert second == first
    _, third = decide(replace(later, pods=[pod(new, Outcome())], deployment=rolled(of, new, 1)), new)
    ready, progress = third["conditions"][0], third["conditions"][2]
    assert (ready["status"], ready["lastTransitionTime"]) == ("True", "2026-11-21T13:00:00Z")
    assert progress["lastTransitionTime"] == "2026-11-21T13:00:00Z"
    assert third["lastFailure"] == first["lastFailure"], "what went wrong last is remembered"


def test_a_spec_without_sense_leaves_what_runs() -> None:
    """Only what is said changes: the revision that serves is still named, and available."""
    of = model()
    new = revision(of)
    _, before = decide(seen(of, new, [pod(new, Outcome())]), new)
    status = invalid(before, 3, NOW, Failure("InvalidSpec", "spec.engine: no such engine."))
    assert (status["phase"], status["rollout"], status["activeRevision"]) == (
        "Failed",
        "InvalidSpec",
        new.name,
    )
    assert said(status, "Ready") == ("False", "InvalidSpec")
    assert said(status, "Available") == ("True", "PodsReady")


def test_events_are_for_what_changed() -> None:
    """One for each condition that says something else, good or bad; none when nothing does."""
    of = model()
    new = revision(of)
    _, loading = decide(seen(of, new, []), new)
    _, broken = decide(seen(of, new, [pod(new, Outcome("crashing", LOADING_FAILED, 1, 3))]), new)
    read = {"metadata": {"name": "m", "namespace": "default", "uid": "u"}}
    assert [one["type"] for one in news({}, loading)] == ["WeightsReady", "Progressing"]
    assert list(news(loading, loading)) == []
    (change,) = news(loading, broken)
    told = event(read, change, NOW)
    assert (told["type"], told["reason"], told["involvedObject"]["uid"]) == (
        "Warning",
        "ModelLoadFailed",
        "u",
    )
    assert {event(read, one, NOW)["type"] for one in news({}, loading)} == {"Normal"}


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("Killed", "Killed"),
        (f'{LOADING_FAILED}{{"level": "INFO", "event": "Stopped"}}', "No tokenizer.json"),
        ('half a line of JSON"}\nTraceback', "Traceback"),
        ('{"exc_info": "Traceback\\n  File\\nRuntimeError: no CUDA"}', "RuntimeError: no CUDA"),
        ("x" * 400, "x" * 300 + "..."),
    ],
)
def test_last_words(log: str, words: str) -> None:
    """The reason a process gave, from the end of its log; else its last line; never a whole log."""
    assert last_words(log) == words
