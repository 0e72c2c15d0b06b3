"""`pecia up` with the real services: one command starts them, Ctrl-C or worse ends them all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import psutil
import pytest
import trustme
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_standalone.pinned import only

pytestmark = pytest.mark.engine

_START_S = 150


class Up:
    """A running `pecia up`, what it has printed, and every process it has started."""

    def __init__(self, process: "subprocess.Popen[str]", ports: list[int]) -> None:
        self.process = process
        self.http, self.page, self.grpc, self.worker = ports
        self.said = ""

    def read_until(self, words: str) -> None:
        """Follow what it prints."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return
        raise AssertionError(f"{words!r} was never printed:\n{self.said}")

    def family(self) -> list[psutil.Process]:
        """Itself, its services and their workers."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]


@contextlib.contextmanager
def _up(logs: Path, *flags: str, **settings: str) -> Iterator[Up]:
    ports = [_free_port() for _ in range(4)]
    names = ("--port", "--ui-port", "--grpc-port", "--worker-port")
    numbers = [word for name, port in zip(names, ports, strict=True) for word in (name, str(port))]
    command = [sys.executable, "-m", "pecia_client", "up", *numbers, "--logs", str(logs), *flags]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PECIA_")}
    environment |= {"XDG_STATE_HOME": str(logs / "state"), **settings}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            yield Up(process, ports)
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _gone(family: list[psutil.Process], within_s: float = 60.0) -> list[psutil.Process]:
    """Those that are still alive after a while."""
    return psutil.wait_procs(family, timeout=within_s)[1]


@pytest.mark.timeout(_START_S + 120)
def test_one_command_reads_a_picture_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """The sample's text and both addresses are printed, the addresses work; SIGINT ends all with status 0."""
    with _up(tmp_path) as up:
        up.read_until("Ctrl-C stops everything.")
        assert "TOTAL 77.145" in up.said
        assert "Self-check passed" in up.said
        assert f"Page  http://127.0.0.1:{up.page}" in up.said
        assert httpx.get(f"http://127.0.0.1:{up.page}/", timeout=30).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{up.http}/docs", timeout=30).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{up.worker}/health", timeout=30).json()["status"] == "healthy"
        assert (tmp_path / "state" / "pecia" / "jobs" / "jobs.sqlite3").exists()
        family = up.family()
        assert len(family) > 4, "the services have workers"
        up.process.send_signal(signal.SIGINT)
        rest, _ = up.process.communicate(timeout=90)
        assert up.process.returncode == 0
        names = [line.split()[0] for line in rest.splitlines() if line.endswith(" stopped")]
        assert names == ["ui", "worker", "gateway", "ocr"]
        assert _gone(family) == []


@pytest.mark.timeout(_START_S + 120)
def test_kill_9_of_the_supervisor_leaves_nothing(tmp_path: Path) -> None:
    """Without a chance to stop anything, every service and every worker is gone all the same."""
    with _up(tmp_path, "--no-ui") as up:
        up.read_until("Self-check passed")
        family = up.family()
        assert len(family) > 3, "the services have workers"
        up.process.kill()
        assert _gone(family) == []


@pytest.mark.timeout(_START_S + 180)
def test_one_flag_makes_calls_between_services_secure(tmp_path: Path) -> None:
    """The sample and a job are read over mutual TLS with signed calls; nobody else gets a word in.

    The gateway speaks HTTPS, with a certificate for the name by which others call it.
    """
    own = trustme.CA().issue_cert("ocr.example.test")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    own.private_key_pem.write_to_path(tmp_path / "key")
    https = {"PECIA_HTTP__CERT_FILE": str(tmp_path / "cert"), "PECIA_HTTP__KEY_FILE": str(tmp_path / "key")}
    with (
        _up(tmp_path, "--no-ui", "--secure", **https) as up,
        httpx.Client(verify=only(tmp_path / "cert") or False, timeout=30) as http,
    ):
        up.read_until("Ctrl-C stops everything.")
        assert "Self-check passed" in up.said
        assert f"API   https://127.0.0.1:{up.http}" in up.said
        api = f"https://127.0.0.1:{up.http}"
        document = Path(__file__).parents[1] / "examples" / "sample-report.pdf"
        files = {"file": ("report.pdf", document.read_bytes(), "application/pdf")}
        job = http.post(f"{api}/v1/jobs", files=files).json()["job_id"]
        end = time.monotonic() + 120
        while (status := http.get(f"{api}/v1/jobs/{job}").json()["status"]) != "completed":
            assert status in {"queued", "processing"}
            assert time.monotonic() < end
            time.sleep(0.2)
        with grpc.insecure_channel(f"127.0.0.1:{up.grpc}") as channel, pytest.raises(grpc.RpcError):
            ocr_pb2_grpc.OcrServiceStub(channel).Describe(ocr_pb2.DescribeRequest(), timeout=10)
        papers = tmp_path / "state" / "pecia" / "identity"
        assert {path.stat().st_mode & 0o77 for path in papers.iterdir()} == {0}


@pytest.mark.timeout(_START_S + 180)
def test_the_model_that_comes_along_is_there(tmp_path: Path) -> None:
    """Where torch and its checkpoint are, it is listed and answers to its name; nobody has waited for it."""
    pytest.importorskip("torch")
    from pecia_ocr.engines.deepseek import testing  # noqa: PLC0415 - needs torch

    folder = testing.write(tmp_path / "reader")
    with _up(tmp_path, "--no-ui", PECIA_DEEPSEEK__DEMO_PATH=str(folder)) as up:
        up.read_until("Self-check passed")
        assert "read by rapid" in up.said
        api, end = f"http://127.0.0.1:{up.http}", time.monotonic() + 150
        state = ""
        while state != "ready":
            assert time.monotonic() < end, state
            time.sleep(0.2)
            listed = httpx.get(f"{api}/v1/models", timeout=30).json()["data"]
            state = next((one["state"] for one in listed if one["id"] == "deepseek-ocr-demo"), "missing")
        picture = Path(__file__).parents[1] / "examples" / "sample-receipt.png"
        form = {"model": "deepseek-ocr-demo", "task_type": "free_ocr"}
        answer = httpx.post(f"{api}/v1/ocr", files={"file": picture.read_bytes()}, data=form, timeout=120)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["engine"], answer.json()["fallback_from"]) == ("deepseek", "")


@pytest.mark.timeout(_START_S + 120)
def test_sigterm_during_the_start_is_a_clean_end(tmp_path: Path) -> None:
    """Whoever changes their mind early gets the same clean stop."""
    with _up(tmp_path, "--no-ui") as up:
        up.read_until("starting ocr, gateway")
        end = time.monotonic() + 60
        while len(family := up.family()) < 3 and time.monotonic() < end:
            time.sleep(0.02)
        up.process.send_signal(signal.SIGTERM)
        up.process.communicate(timeout=90)
        assert up.process.returncode == 0
        assert _gone(family) == []


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    """Exit status 2, which port, which flag; no traceback, nothing started."""
    with _up(tmp_path) as up, socket.create_server(("127.0.0.1", up.http)):
        said, _ = up.process.communicate(timeout=60)
    assert up.process.returncode == 2
    assert f"Port {up.http} is taken, and gateway needs it." in said
    assert f"--port {up.http + 1}" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
