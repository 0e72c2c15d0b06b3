"""compose.yaml on this machine: one command, a picture and a document read, everything gone again."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from pecia_core.testing import sample_receipt
from pecia_worker.testing import scanned

from tests.conftest import free_port
from tests.images.podman import Podman, until

_COMPOSE = str(Path(sys.executable).parent / "podman-compose")
_SERVICES = ("ocr", "gateway", "worker", "ui")


@pytest.fixture
def project(podman: Podman, images: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The name of what runs, the addresses of its API and of its page."""
    name = f"{podman.prefix}compose"
    api, page = free_port(), free_port()
    tag = images["gateway"].rpartition(":")[2]
    said = {"PECIA_TAG": tag, "PECIA_REGISTRY": "localhost/"}
    ports = {"PECIA_HTTP_PORT": str(api), "PECIA_UI_PORT": str(page)}
    command = ["env", *(f"{key}={value}" for key, value in (said | ports).items()), _COMPOSE, "-p", name]
    started = podman.program([*command, "up", "--detach"], timeout_s=300)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield name, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{page}"
    finally:
        podman.program([*command, "down", "--volumes", "--timeout=10"], timeout_s=300)


def test_one_machine(podman: Podman, project: tuple[str, str, str]) -> None:
    """The page is there, a picture and a job are read, every health check is content, ocr has no way out."""
    name, api, page = project
    until(lambda: httpx.get(f"{api}/ready", timeout=10).is_success, "the API", 300)
    until(lambda: httpx.get(f"{page}/_stcore/health", timeout=10).is_success, "the page", 300)
    picture = {"file": ("receipt.png", sample_receipt()[0], "image/png")}
    answer = httpx.post(f"{api}/v1/ocr", files=picture, timeout=120)
    assert "77.145" in " ".join(line["text"] for line in answer.json()["lines"])
    document = {"file": ("scan.pdf", scanned(3), "application/pdf")}
    job = httpx.post(f"{api}/v1/jobs", files=document, timeout=60).json()["job_id"]
    until(
        lambda: httpx.get(f"{api}/v1/jobs/{job}", timeout=10).json()["status"] == "completed", "the job", 300
    )
    for service in _SERVICES:
        container = f"{name}_{service}_1"
        assert podman.attempt("healthcheck", "run", container).returncode == 0, service
        assert podman("container", "inspect", "--format={{.HostConfig.ReadonlyRootfs}}", container) == "true"
    look = "import urllib.request as u; u.urlopen('http://192.0.2.1', timeout=3)"
    assert "unreachable" in podman.attempt("exec", f"{name}_ocr_1", "python", "-c", look).stderr
