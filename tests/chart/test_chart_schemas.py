"""Every scenario gives objects that every supported Kubernetes takes."""

import pytest
import yaml

from tests.chart.kinds import complaint, versions
from tests.chart.rendering import CHART, NEWEST, SCENARIOS, rendered

# Of a trigger's metadata, in KEDA's pkg/scalers/postgresql_scaler.go; the connection comes another way.
_READ_BY_KEDA = {"query", "targetQueryValue", "activationTargetQueryValue"}


def test_the_versions_are_those_the_chart_promises() -> None:
    """From the oldest that Chart.yaml allows to the newest that is known here."""
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == ">=1.29.0-0"
    assert versions()[0] == "1.29"
    assert versions()[-1] == NEWEST
    assert len(versions()) >= 9


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("scenario", ["", *SCENARIOS])
def test_every_object_is_known_to_kubernetes(scenario: str, version: str) -> None:
    """No field is misspelt, of a wrong type or too new; kinds of others have the fields theirs have."""
    objects = rendered(scenario, version=version).objects
    assert len(objects) > 8
    assert [said for one in objects if (said := complaint(one, version))] == []


def test_mistakes_are_noticed() -> None:
    """A misspelt field, a wrong type, and fields that KEDA and cert-manager do not have."""
    deployment = rendered("ha").one("Deployment", "pecia-gateway")
    spec = deployment["spec"]
    assert complaint({**deployment, "spec": {**spec, "replica": 1}}, "1.34") != ""
    assert complaint({**deployment, "spec": {**spec, "minReadySeconds": "ten"}}, "1.34") != ""
    scaled = rendered("eks").one("ScaledObject", "pecia-worker")
    assert complaint({**scaled, "spec": {**scaled["spec"], "minReplicas": 1}}, "1.34") != ""
    certificate = rendered("ha").of("Certificate")[0]
    issuer = {**certificate["spec"]["issuerRef"], "names": "ours"}
    assert complaint({**certificate, "spec": {**certificate["spec"], "issuerRef": issuer}}, "1.34") != ""


def test_a_trigger_says_what_kedas_scaler_reads() -> None:
    """KEDA's own definition takes any text there: these are the names its PostgreSQL scaler reads."""
    found = [
        trigger
        for scenario in SCENARIOS
        for scaled in rendered(scenario).of("ScaledObject")
        for trigger in scaled["spec"]["triggers"]
    ]
    assert found
    for trigger in found:
        assert trigger["type"] == "postgresql"
        assert {"query", "targetQueryValue"} <= set(trigger["metadata"]) <= _READ_BY_KEDA
        (name,) = [one["metadata"]["name"] for one in rendered("eks").of("TriggerAuthentication")]
        assert trigger["authenticationRef"]["name"] == name


def test_an_older_kubernetes_is_refused() -> None:
    """Chart.yaml says so, in helm's words."""
    with pytest.raises(Exception, match="chart requires kubeVersion"):
        rendered(version="1.28")
