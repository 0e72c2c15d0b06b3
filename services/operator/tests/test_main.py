"""The operator as a program: what it says where it cannot work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The program in an environment of its own, until it ends."""
    kept = {"PATH": os.environ["PATH"], "PECIA_PROBE__PORT": "0"}
    command = [sys.executable, "-m", "pecia_operator"]
    return subprocess.run(
        command, env=kept | environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "kubeconfig",
    [None, "", "apiVersion: v1\nkind: Config\nclusters: []\n", "{ this is: no yaml"],
    ids=["none", "empty", "without a cluster", "spoilt"],
)
def test_without_a_cluster_it_says_so_in_a_line(tmp_path: Path, kubeconfig: str | None) -> None:
    """With what to do, and status 1; no traceback for people to read a cause out of."""
    path = tmp_path / "config"
    if kubeconfig is not None:
        path.write_text(kubeconfig)
    ended = started({"HOME": str(tmp_path), "KUBECONFIG": str(path)})
    assert ended.returncode == 1
    (line,) = (ended.stdout + ended.stderr).splitlines()
    said = json.loads(line)
    assert said["event"] == "Cannot start"
    assert "name a kubeconfig in KUBECONFIG" in said["reason"]


def test_an_api_server_that_is_away_is_told(tmp_path: Path, free_port: int) -> None:
    """It ends, and is started again by whoever started it."""
    path = tmp_path / "config"
    server = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [server], "users": [{"name": "u", "user": {}}], "contexts": [context]}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "c", **config}))
    ended = started({"HOME": str(tmp_path), "KUBECONFIG": str(path)})
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "The API server does not answer" in ended.stdout + ended.stderr


def test_settings_that_cannot_be_are_told_without_their_values(tmp_path: Path) -> None:
    """By their names in the environment."""
    ended = started({"HOME": str(tmp_path), "PECIA_LEASE__RETRY_S": "secret", "PECIA_PROBE__PORT": "-1"})
    assert ended.returncode == 1
    assert "secret" not in ended.stderr
    assert "PECIA_LEASE__RETRY_S: " in ended.stderr
    assert "PECIA_PROBE__PORT: " in ended.stderr
