"""Helm 3 makes the same objects as Helm 4: a number's zero, for one, is something else to it."""

from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, NEWEST, ROOT, SCENARIOS, helm, rendered, scenario

_HELM3 = ROOT / "build/tools/helm3"


def by_helm3(name: str) -> list[Any]:
    """What Helm 3 makes of a scenario, "" = the chart's defaults."""
    files = ["--values", scenario(name)] if name else []
    text = helm("template", "pecia", str(CHART), "--kube-version", NEWEST, *files, program=_HELM3)
    return [one for one in yaml.safe_load_all(text) if one]


@pytest.mark.parametrize("name", ["", *SCENARIOS])
def test_the_same_objects(name: str) -> None:
    """All of them, in every scenario."""
    assert by_helm3(name) == list(rendered(name).objects)


def test_it_finds_nothing_to_complain_of() -> None:
    """`helm lint --strict`."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), program=_HELM3)
