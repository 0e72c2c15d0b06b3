"""The operator's part of the chart: its rights, its models, and what it never owns."""

import pytest

from tests.chart.rendering import CHART, ROOT, rendered


def test_it_may_do_what_it_does_and_no_more() -> None:
    """The rules are the operator's own list, which its tests compare with its calls."""
    own = ROOT / "services/operator/pecia_operator/rbac.yaml"
    assert (CHART / "files/operator-rbac.yaml").read_text() == own.read_text(), "run `make docs`"


def test_its_rights_end_with_the_namespace() -> None:
    """A Role, bound to its account alone; no ClusterRole anywhere."""
    rendering = rendered("eks", namespace="ocr")
    rules = rendering.one("Role", "pecia-operator")["rules"]
    assert len(rules) > 5
    assert not [rule for rule in rules if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
    assert not [rule for rule in rules if "secrets" in rule["resources"]]
    binding = rendering.one("RoleBinding", "pecia-operator")
    assert binding["roleRef"]["kind"] == "Role"
    (subject,) = binding["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "pecia-operator", "namespace": "ocr"}
    assert rendering.of("ClusterRole") == rendering.of("ClusterRoleBinding") == []


def test_two_never_act() -> None:
    """One pod, and the old one ends before the new one begins."""
    spec = rendered("eks").one("Deployment", "pecia-operator")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_chart_and_operator_share_no_object() -> None:
    """Whatever the operator makes is called `ocrmodel-...`; the chart never makes such a name."""
    names = [one["metadata"]["name"] for one in rendered("eks").objects if one["kind"] != "OCRModel"]
    assert not [name for name in names if name.startswith("ocrmodel-")]
    long = rendered("eks", release="ocrmodel-x")
    assert not [one for one in long.of("Deployment") if one["metadata"]["name"] == "ocrmodel-deepseek"]


def test_a_model_is_what_was_asked_for() -> None:
    """The chart adds a name and labels, and leaves its spec alone."""
    spec = {"engine": "rapid", "replicas": 2}
    models = [{"name": "receipts", "spec": spec}]
    (model,) = rendered(operator={"enabled": True}, models=models).of("OCRModel")
    assert (model["metadata"]["name"], model["spec"]) == ("receipts", spec)


def test_a_model_that_waits_for_jobs_has_a_way_to_count_them() -> None:
    """The TriggerAuthentication that the scenario's model names is made."""
    rendering = rendered("eks")
    (model,) = rendering.of("OCRModel")
    assert rendering.one("TriggerAuthentication", model["spec"]["scaling"]["queue"]["authenticationRef"])


@pytest.mark.parametrize(("own", "secret"), [("", "pecia-backend"), ("pecia-keda", "pecia-keda")])
def test_keda_may_have_an_address_of_its_own(own: str, secret: str) -> None:
    """Of the database; without one it is that of gateways and workers."""
    rendering = rendered("eks", jobs={"database": {"kedaSecret": own}})
    (reference,) = rendering.one("TriggerAuthentication", "pecia-pages")["spec"]["secretTargetRef"]
    assert reference == {"parameter": "connection", "name": secret, "key": "DATABASE_URL"}
