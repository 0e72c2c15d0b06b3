"""A model's whole life, from `kubectl apply` to `kubectl delete`, in a cluster that is played."""

from typing import Any

from pecia_operator.testing import Outcome
from pecia_operator.testing.scene import Cluster, until

_LOADING_FAILED = '{"event": "Engine unavailable", "reason": "No tokenizer.json."}'
_S3 = {"s3": {"bucket": "weights"}}
_OBJECTS = ("deployments", "services", "configmaps", "controllerrevisions", "poddisruptionbudgets", "pods")


def bad(image: str, outcome: Outcome) -> Any:
    """Pods of one image fail, all others become ready."""
    return lambda pod: outcome if pod["spec"]["containers"][0]["image"] == image else Outcome()


def test_create_update_delete(cluster: Cluster) -> None:
    """It is made, changed and deleted; what belonged to it goes with it, the operator or not."""
    operator = cluster.operate()
    assert cluster.create("receipts", replicas=2).status_code == 201
    first = cluster.wait("receipts", "Ready")
    assert first["readyReplicas"] == 2
    assert cluster.get("services", "ocrmodel-receipts")
    cluster.change("receipts", env={"PECIA_LIMITS__MAX_QUEUE_LENGTH": "8"}, replicas=1)
    second = cluster.wait("receipts", "Ready")
    assert second["activeRevision"] not in {"", first["activeRevision"]}
    assert cluster.controllers.fewest["ocrmodel-receipts"] >= 1
    model = cluster.get("ocrmodels", "receipts")
    assert model
    assert "finalizers" not in model["metadata"]
    assert "annotations" not in model["metadata"], "nothing is written into what belongs to people"
    operator.stop()
    cluster.delete("receipts")
    until(lambda: not any(cluster.api.store.all(plural) for plural in _OBJECTS))


def test_a_bad_revision_never_takes_the_good_one_down(cluster: Cluster) -> None:
    """Surge: pods never lack. It is taken back, told, not tried again, and a rollback is clean."""
    cluster.controllers.pod = bad("broken:1", Outcome("crashing", _LOADING_FAILED, 1, 2))
    cluster.operate()
    cluster.create("receipts", replicas=2, image="good:1")
    good = cluster.wait("receipts", "Ready")["activeRevision"]
    cluster.change("receipts", image="broken:1")
    status = cluster.wait("receipts", "Blocked")
    assert status["activeRevision"] == good
    assert status["lastFailure"]["reason"] == "ModelLoadFailed"
    assert "No tokenizer.json" in status["lastFailure"]["message"]
    until(lambda: cluster.revision("receipts") == good)
    until(lambda: len(cluster.api.store.all("pods")) == 2)
    calls = len(
        [call for call in cluster.api.calls if call.resource == "deployments" and call.verb == "patch"]
    )
    until(
        lambda: (
            len([c for c in cluster.api.calls if c.resource == "deployments" and c.verb == "patch"])
            > calls + 2
        )
    )
    assert cluster.revision("receipts") == good, "what failed is not tried again"
    assert cluster.controllers.fewest["ocrmodel-receipts"] == 2
    events = {(event["type"], event["reason"]) for event in cluster.api.store.all("events")}
    assert {("Normal", "UpToDate"), ("Warning", "BlockedByFailedLoad")} <= events
    cluster.change("receipts", image="good:1")
    assert cluster.wait("receipts", "Ready")["activeRevision"] == good
    assert "failedRevision" not in cluster.status("receipts")


def test_a_retry_is_asked_for(cluster: Cluster) -> None:
    """The registry was repaired: an annotation tries the same spec once more."""
    cluster.controllers.pod = bad("late:1", Outcome("no-image", "not found"))
    cluster.operate()
    cluster.create("receipts", image="good:1")
    cluster.wait("receipts", "Ready")
    cluster.change("receipts", image="late:1")
    assert cluster.wait("receipts", "Blocked")["lastFailure"]["reason"] == "ImagePullFailed"
    cluster.controllers.pod = lambda _: Outcome()
    cluster.patch("receipts", {"metadata": {"annotations": {"pecia.dev/retry": "1"}}})
    until(lambda: cluster.status("receipts")["phase"] == "Ready")


def test_one_gpu_and_none_to_spare(cluster: Cluster) -> None:
    """Surge waits and says why, with the old one serving; Replace takes over, and puts back what worked."""
    cluster.controllers.gpus = 1
    cluster.controllers.pod = bad("broken:1", Outcome("crashing", "CUDA out of memory", 1, 2))
    cluster.operate()
    gpu = {"resources": {"gpu": 1}, "weights": _S3, "engine": "deepseek"}
    cluster.create("deepseek", **gpu, image="good:1")
    good = cluster.wait("deepseek", "Ready")["activeRevision"]
    cluster.change("deepseek", image="good:2")
    until(lambda: cluster.condition("deepseek", "Progressing").get("reason") == "Unschedulable")
    progress = cluster.condition("deepseek", "Progressing")
    assert "set spec.rollout.strategy to Replace" in progress["message"]
    assert cluster.condition("deepseek", "Available")["status"] == "True"
    assert cluster.status("deepseek")["activeRevision"] == good
    cluster.change("deepseek", rollout={"strategy": "Replace"})
    second = cluster.wait("deepseek", "Ready")["activeRevision"]
    cluster.change("deepseek", image="broken:1")
    status = cluster.wait("deepseek", "Blocked")
    assert status["lastFailure"]["reason"] == "OutOfGPUMemory"
    until(lambda: cluster.condition("deepseek", "Available").get("status") == "True")
    assert cluster.revision("deepseek") == second


def test_no_pod_depends_on_weights_that_are_wrong(cluster: Cluster) -> None:
    """First they are looked at, then pods come; other weights that are wrong change nothing that runs."""
    found: dict[str, tuple[int, str] | None] = {"v1": None}

    def check(job: Any) -> tuple[int, str] | None:
        return found[job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"].rsplit("/", 1)[1]]

    cluster.controllers.check = check
    cluster.operate()
    cluster.create("deepseek", engine="deepseek", weights={"s3": {"bucket": "weights", "prefix": "v1"}})
    cluster.wait("deepseek", "CheckingWeights")
    assert cluster.get("deployments", "ocrmodel-deepseek") is None
    found["v1"] = (0, "")
    good = cluster.wait("deepseek", "Ready")["activeRevision"]
    found["v2"] = (11, '{"reason": "config.json has the sha256 00."}')
    cluster.change("deepseek", weights={"s3": {"bucket": "weights", "prefix": "v2"}})
    until(lambda: cluster.condition("deepseek", "WeightsReady").get("reason") == "WeightsChecksumMismatch")
    assert cluster.condition("deepseek", "WeightsReady")["message"] == "config.json has the sha256 00"
    assert cluster.revision("deepseek") == good
    assert cluster.condition("deepseek", "Available")["status"] == "True"
    found["v2"] = (0, "")  # somebody uploads it again; the Job is made anew by itself
    until(lambda: cluster.status("deepseek").get("activeRevision") not in {None, good})
    until(lambda: len(cluster.api.store.all("jobs")) == 1)


def test_what_people_break_is_put_right(cluster: Cluster) -> None:
    """A Deployment that was deleted, a Service that was changed, and a number of pods that was."""
    cluster.operate()
    cluster.create("receipts", replicas=2)
    cluster.wait("receipts", "Ready")
    store = cluster.api.store
    cluster.controllers.scale("ocrmodel-receipts", 5)
    until(lambda: (cluster.get("deployments", "ocrmodel-receipts") or {})["spec"]["replicas"] == 2)
    store.delete(
        store.resources["apps", "deployments"], ("apps", "deployments", "default", "ocrmodel-receipts")
    )
    until(lambda: cluster.get("deployments", "ocrmodel-receipts"))
    cluster.wait("receipts", "Ready")


def test_keda_takes_over_without_a_gap_and_gives_back(cluster: Cluster) -> None:
    """The number of pods is the autoscaler's from its first word on; it never falls on the way there."""
    cluster.operate()
    cluster.create("receipts", replicas=4)
    cluster.wait("receipts", "Ready")
    numbers: set[int] = set()

    def note() -> None:
        deployment = cluster.get("deployments", "ocrmodel-receipts")
        numbers.add((deployment or {"spec": {"replicas": -1}})["spec"]["replicas"])

    cluster.api.store.listeners.append(note)
    cluster.change("receipts", scaling={"maxReplicas": 8, "queue": {"authenticationRef": "db"}})
    until(lambda: cluster.get("scaledobjects", "ocrmodel-receipts"))
    cluster.controllers.scale("ocrmodel-receipts", 6)
    until(lambda: not owns_replicas(cluster))
    cluster.wait("receipts", "Ready")
    assert numbers == {4, 6}
    cluster.change("receipts", scaling=None)
    until(lambda: cluster.get("scaledobjects", "ocrmodel-receipts") is None)
    until(lambda: (cluster.get("deployments", "ocrmodel-receipts") or {})["spec"]["replicas"] == 4)


def owns_replicas(cluster: Cluster) -> bool:
    """Whether the operator has said how many pods there are."""
    deployment = cluster.get("deployments", "ocrmodel-receipts")
    assert deployment
    return any(
        entry["manager"] == "pecia-operator" and "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        for entry in deployment["metadata"]["managedFields"]
    )


def test_what_makes_no_sense_is_refused_at_the_door(cluster: Cluster) -> None:
    """The definition's own words, before any operator sees it."""
    answer = cluster.create("receipts", resources={"gpu": 1})
    assert answer.status_code == 422
    assert "Only engine deepseek computes on a GPU" in answer.json()["message"]


def test_a_quota_is_told(cluster: Cluster) -> None:
    """Nothing else fails for it, and it goes on by itself when there is room."""
    cluster.api.fail("patch", "deployments", "403", times=3)
    cluster.operate()
    cluster.create("receipts")
    until(lambda: (cluster.status("receipts").get("lastFailure") or {}).get("reason") == "QuotaExceeded")
    cluster.wait("receipts", "Ready")


def test_old_revisions_are_forgotten(cluster: Cluster) -> None:
    """Three are kept beside what runs; their settings go with them."""
    cluster.operate(history=1)
    cluster.create("receipts", image="good:0")
    cluster.wait("receipts", "Ready")
    for number in (1, 2, 3):
        cluster.change("receipts", image=f"good:{number}")
        cluster.wait("receipts", "Ready")
    until(lambda: len(cluster.api.store.all("controllerrevisions")) == 2)
    until(lambda: len(cluster.api.store.all("configmaps")) == 2)
