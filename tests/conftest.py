"""The real stack as processes of its own on free ports: the ocr service and the gateway."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pecia_core.testing import sample_receipt
from pecia_standalone import leash

_START_S = 90.0


@dataclass(frozen=True)
class Stack:
    """What runs: `url` of the gateway, `target` of the ocr service, and their processes."""

    url: str
    target: str
    gateway: subprocess.Popen[bytes]
    ocr: subprocess.Popen[bytes]
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """For programs that call it."""
        return os.environ | {
            "API_BASE": self.url,
            "PECIA_API__BASE": self.url,
            "PECIA_GRPC_TARGET": self.target,
        }


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(module: str, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Run one of our services, so that it dies with the tests; its log goes to a file."""
    with log.open("ab") as sink:
        return subprocess.Popen(leash.command(module), env=os.environ | environment, stderr=sink, stdout=sink)


def wait_until_ready(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Until the gateway says an engine can answer."""
    end = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(httpx.HTTPError):
            engines = httpx.get(f"{url}/v1/capacity", timeout=5).json().get("engines", [])
            if engines and all(engine["state"] != "loading" for engine in engines):
                return
        assert all(process.poll() is None for process in processes), "a service ended while starting"
        assert time.monotonic() < end, "the stack did not become ready"
        time.sleep(0.2)


@contextlib.contextmanager
def running_stack(log: Path, **environment: str) -> Iterator[Stack]:
    """Start both services; they are stopped, and must stop cleanly, at the end."""
    grpc_port, http_port = free_port(), free_port()
    target, url = f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{http_port}"
    settings = {"PECIA_GRPC__PORT": str(grpc_port), "PECIA_ENGINES__SCRIPTED": "true"}
    # Tests send the same pictures and mean that they are read; those about the cache switch it on.
    settings["PECIA_CACHE__ENABLED"] = "false"
    settings["PECIA_GRPC__REFLECTION"] = "true"  # one of the examples looks around
    environment = {"XDG_STATE_HOME": str(log.parent)} | environment  # jobs stay out of the home of who tests
    ocr = start("pecia_ocr", log, **(settings | environment))
    http = {"PECIA_HTTP__HOST": "127.0.0.1", "PECIA_HTTP__PORT": str(http_port), "PECIA_OCR__TARGET": target}
    gateway = start("pecia_gateway", log, **(http | environment))
    try:
        wait_until_ready(url, [ocr, gateway])
        yield Stack(url, target, gateway, ocr, log)
        for process in (gateway, ocr):
            process.terminate()
            assert process.wait(timeout=60) == 0
    finally:
        for process in (gateway, ocr):
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Gateways and services started here keep their jobs with the test, not in the home of who tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests: rapid with a worker a core, tesseract, scripted."""
    with running_stack(tmp_path_factory.mktemp("stack") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def receipt() -> bytes:
    """The receipt the project draws itself, as PNG."""
    return sample_receipt()[0]
