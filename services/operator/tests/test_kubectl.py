"""The real kubectl against the fake API server: what people do by hand works, and fields have one owner."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pecia_operator.testing.scene import EXAMPLES, ROOT, Cluster, until

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def program() -> Path:
    """The pinned kubectl, its checksum compared."""
    fetched = subprocess.run(["scripts/kube-tools"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    return ROOT / "build/tools/kubectl"


@pytest.fixture
def kubectl(program: Path, cluster: Cluster, tmp_path: Path) -> Kubectl:
    """Runs it as a person, whose calls meet no rules."""
    config = tmp_path / "config"
    config.write_text(yaml.safe_dump(cluster.api.kubeconfig("")))
    environment = {"KUBECONFIG": str(config), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def run(*arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(program), *arguments],
            input=text,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_examples_are_applied_and_shown(cluster: Cluster, kubectl: Kubectl) -> None:
    """Every example is taken as it is; the table has the columns of the definition."""
    for path in EXAMPLES:
        done = kubectl("apply", "--server-side", "--validate=false", "-f", str(path))
        assert done.returncode == 0, done.stderr
    cluster.operate()
    until(lambda: cluster.status("receipts").get("phase") == "Ready")
    shown = kubectl("get", "ocrm", "receipts")
    assert shown.returncode == 0, shown.stderr
    header, row = shown.stdout.splitlines()
    assert header.split() == ["NAME", "ENGINE", "PHASE", "READY", "PODS", "REVISION", "AGE"]
    assert row.split()[:5] == ["receipts", "rapid", "Ready", "True", "2"]


def test_a_life_by_hand(cluster: Cluster, kubectl: Kubectl) -> None:
    """Apply, wait, scale, describe, delete."""
    cluster.operate()
    (rapid,) = [path for path in EXAMPLES if path.stem == "rapid"]
    assert kubectl("apply", "--server-side", "--validate=false", "-f", str(rapid)).returncode == 0
    waited = kubectl("wait", "--for=condition=Ready", "ocrmodel/receipts", "--timeout=40s")
    assert waited.returncode == 0, waited.stderr
    scaled = kubectl("patch", "ocrmodel", "receipts", "--type=merge", "-p", '{"spec": {"replicas": 3}}')
    assert scaled.returncode == 0, scaled.stderr
    until(lambda: cluster.status("receipts").get("readyReplicas") == 3)
    assert kubectl("delete", "ocrmodel", "receipts", "--timeout=20s").returncode == 0
    until(lambda: not cluster.api.store.all("deployments"))


def test_explain_teaches(kubectl: Kubectl) -> None:
    """Every field has its text; here one that people look for."""
    explained = kubectl("explain", "ocrmodel.spec.weights")
    assert explained.returncode == 0, explained.stderr
    assert "compares each file with a manifest" in " ".join(explained.stdout.split())
    for name in ("s3", "pvc", "image", "huggingFace", "manifest", "cache"):
        assert name in explained.stdout


def test_nonsense_is_refused_with_words(kubectl: Kubectl) -> None:
    """What a rule of the definition says reaches the person."""
    body = {"apiVersion": "pecia.dev/v1alpha1", "kind": "OCRModel", "metadata": {"name": "m"}}
    text = json.dumps({**body, "spec": {"engine": "deepseek"}})
    refused = kubectl("apply", "--server-side", "--validate=false", "-f", "-", text=text)
    assert refused.returncode == 1
    assert "Engine deepseek needs spec.weights" in refused.stderr


def test_who_owns_what(cluster: Cluster, kubectl: Kubectl) -> None:
    """Somebody else's label on the operator's Deployment stays; a field of the operator's is a conflict."""
    cluster.operate()
    cluster.create("m", image="good:1")
    cluster.wait("m", "Ready")
    object_of = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ocrmodel-m"}}
    labelled = json.dumps({**object_of, "metadata": {"name": "ocrmodel-m", "labels": {"team": "ours"}}})
    applied = kubectl(
        "apply", "--server-side", "--validate=false", "--field-manager=helm", "-f", "-", text=labelled
    )
    assert applied.returncode == 0, applied.stderr
    spec = {"progressDeadlineSeconds": 5}
    fought = kubectl(
        *("apply", "--server-side", "--validate=false", "--field-manager=helm", "-f", "-"),
        text=json.dumps({**object_of, "spec": spec}),
    )
    assert fought.returncode == 1
    assert 'conflict with "pecia-operator"' in fought.stderr
    cluster.change("m", image="good:2")
    cluster.wait("m", "Ready")
    deployment = cluster.get("deployments", "ocrmodel-m")
    assert deployment
    assert deployment["metadata"]["labels"]["team"] == "ours"
    managers = {entry["manager"] for entry in deployment["metadata"]["managedFields"]}
    assert managers == {"helm", "pecia-operator", "kube-controller-manager"}
