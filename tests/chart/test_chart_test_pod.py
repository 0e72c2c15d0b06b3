"""`helm test`: its picture, its program, and the pod that runs it."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pecia_core.testing import blank_page, sample_receipt
from PIL import Image, ImageChops

from tests.chart.rendering import CHART, rendered

FILES = CHART / "files/tests"


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as the pod runs it: with nothing but Python beside it, in isolation from our packages."""
    command = [sys.executable, "-I", "-S", str(folder / "read_receipt.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=200)


def folder_with(tmp_path: Path, picture: bytes) -> Path:
    """What the ConfigMap mounts, with another picture."""
    (tmp_path / "read_receipt.py").write_text((FILES / "read_receipt.py").read_text())
    (tmp_path / "receipt.png").write_bytes(picture)
    return tmp_path


@pytest.mark.engine
def test_a_stack_that_reads_passes(stack: Any) -> None:
    """The picture goes through a real gateway and a real engine, and its words come back."""
    done = run(FILES, API_BASE=stack.url, TIMEOUT_S="120")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The receipt was read" in done.stdout


@pytest.mark.engine
def test_a_stack_that_reads_something_else_fails(stack: Any, tmp_path: Path) -> None:
    """A page without the words is no success, and what was read is said."""
    done = run(folder_with(tmp_path, blank_page()), API_BASE=stack.url, TIMEOUT_S="120")
    assert done.returncode == 1
    assert "TOTAL, TUNAI, KEMBALI did not come back" in done.stderr


@pytest.mark.engine
def test_a_refusal_is_told(stack: Any, tmp_path: Path) -> None:
    """In the gateway's own words."""
    done = run(folder_with(tmp_path, b"no picture"), API_BASE=stack.url, TIMEOUT_S="120")
    assert done.returncode == 1
    assert "The gateway refused the picture with 4" in done.stderr


def test_nobody_there_is_told(unused_tcp_port: int) -> None:
    """With the address that was asked, after a while of patience."""
    address = f"http://127.0.0.1:{unused_tcp_port}"
    done = run(FILES, API_BASE=address, TIMEOUT_S="0.1")
    assert done.returncode == 1
    assert f"The gateway at {address} does not answer" in done.stderr


def test_the_picture_is_the_one_the_project_draws() -> None:
    """Nobody else's."""
    ours, theirs = (
        Image.open(BytesIO(each)) for each in (sample_receipt()[0], (FILES / "receipt.png").read_bytes())
    )
    assert ImageChops.difference(ours.convert("L"), theirs.convert("L")).getbbox() is None


@pytest.mark.parametrize("scenario", ["minimal", "ha"])
def test_the_pod_runs_it_against_the_gateway(scenario: str) -> None:
    """In the gateway's image, with program and picture side by side, and a key where keys are asked for."""
    rendering = rendered(scenario)
    pod = rendering.pod("test")
    (container,) = pod.containers
    assert pod.owner["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert container["image"] == rendering.pod("gateway").containers[0]["image"]
    assert container["command"] == ["python", "/test/read_receipt.py"]
    seen = rendering.environment(container)
    assert seen["API_BASE"] == "http://pecia-gateway:8000"
    assert ("API_KEY" in seen) is (scenario == "ha")
    config = rendering.one("ConfigMap", "pecia-test")
    assert set(config["data"]) | set(config["binaryData"]) == {"read_receipt.py", "receipt.png"}
    # hooks of a test are made in the order of their weight
    assert int(config["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
