"""The operator may do what it does, and nothing else."""

from pecia_operator.testing import Outcome
from pecia_operator.testing.scene import RULES, Cluster, until

_WEIGHTS = {"s3": {"bucket": "weights"}, "cache": {"size": "10Gi"}}


def granted() -> set[tuple[str, str, str]]:
    """Group, resource and verb of every rule."""
    return {
        (group, resource, verb)
        for rule in RULES
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_every_rule_is_used_and_no_other_is_needed(cluster: Cluster) -> None:
    """A life that meets everything: weights in a cache, a failure, scaling, old revisions, another name.

    The API server of all tests here refuses what the rules do not allow, so that nothing is missing either.
    """
    cluster.operate(history=0)
    cluster.create("m", engine="deepseek", weights=_WEIGHTS, image="good:1")
    cluster.wait("m", "Ready")
    cluster.change("m", scaling={"queue": {"authenticationRef": "db"}})
    until(lambda: cluster.get("scaledobjects", "ocrmodel-m"))
    cluster.change("m", scaling=None, weights={**_WEIGHTS, "s3": {"bucket": "others"}}, image="good:2")
    cluster.wait("m", "Ready")
    until(lambda: len(cluster.api.store.all("persistentvolumeclaims")) == 1)
    until(lambda: cluster.get("scaledobjects", "ocrmodel-m") is None)
    cluster.operators[0].stop()
    calls = [call for call in cluster.api.calls if call.user]
    assert [call for call in calls if call.status == 403] == []
    used = {(call.group, call.resource, call.verb) for call in calls}
    # Server-side apply of what is not there yet asks for both rights.
    used |= {(group, resource, "create") for group, resource, verb in used if verb == "patch"}
    assert used - {("pecia.dev", "ocrmodels/status", "create")} == granted()


def test_secrets_are_not_among_them() -> None:
    """The operator names Secrets and reads none; it has no rights on pods but to look."""
    assert "secrets" not in {resource for _, resource, _ in granted()}
    assert {verb for _, resource, verb in granted() if resource == "pods"} == {"list", "watch"}


def test_what_is_not_granted_is_told(cluster: Cluster) -> None:
    """A Role that lacks a rule: the model says which call was refused, and goes on when it is there."""
    rules = [rule for rule in RULES if "poddisruptionbudgets" not in rule["resources"]]
    cluster.api.rules = rules
    cluster.operate()
    cluster.create("m")
    until(lambda: (cluster.status("m").get("lastFailure") or {}).get("reason") == "OperatorForbidden")
    assert "poddisruptionbudgets" in cluster.status("m")["lastFailure"]["message"]
    cluster.controllers.pod = lambda _: Outcome()
    cluster.api.rules = RULES
    cluster.wait("m", "Ready")
