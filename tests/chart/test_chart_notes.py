"""What helm says after an installation: the next steps, and only those that fit."""

import pytest

from tests.chart.rendering import CHART, SCENARIOS, helm, scenario


def notes(name: str, *settings: str) -> str:
    """The notes of an installation that is not made."""
    given = [part for setting in settings for part in ("--set", setting)]
    about = ("install", "pecia", str(CHART), "--namespace", "ocr", "--dry-run=client")
    return helm(*about, "--values", scenario(name), *given).partition("\nNOTES:\n")[2]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_next_steps_are_told(name: str) -> None:
    """Wait, test, find the address; commands name release and namespace; nothing is unfilled."""
    told = notes(name)
    assert "kubectl --namespace ocr rollout status deployment/pecia-gateway" in told
    assert "helm test pecia --namespace ocr" in told
    assert ("get ingress pecia-api" in told) is ("port-forward service/pecia-gateway" not in told)
    assert "{{" not in told
    assert "<no value>" not in told
    assert "\n\n\n" not in told


def test_what_people_should_know_is_said() -> None:
    """That nobody is asked for a key, that jobs are on one volume or off, and how to get at the page."""
    small = notes("minimal")
    assert "Everybody who reaches the gateway may call it" in small
    assert "delete pvc pecia-jobs" in small
    assert "pecia-ui" not in small
    assert "404" in notes("minimal", "jobs.enabled=false")
    assert "is gone with the pod" in notes("minimal", "jobs.local.persistent=false").replace("that is", "is")


def test_on_aws_readiness_gates_are_told_of() -> None:
    """Their label has to be there before the pods."""
    told = notes("eks")
    assert "kubectl label namespace ocr elbv2.k8s.aws/pod-readiness-gate-inject=enabled" in told
    assert "Everybody who reaches" not in told
    assert "get ocrmodels" in told
