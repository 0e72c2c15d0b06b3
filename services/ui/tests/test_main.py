"""`python -m pecia_ui` as a process: U11 to U13, its log and its end."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pecia_ui.__main__ import flags
from pecia_ui.settings import Settings

START_S = 60.0


@contextmanager
def running(log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The page on a free port, ready; and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    monkeypatch.setenv("PECIA_UI__HOST", "127.0.0.1")
    monkeypatch.setenv("PECIA_UI__PORT", port)
    with log.open("wb") as sink, log.with_suffix(".out").open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "pecia_ui"], stdout=out, stderr=sink)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, process)
        yield process, url
    finally:
        process.kill()
        process.wait()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the probe of the load balancer would be content."""
    end = time.monotonic() + START_S
    while True:
        assert process.poll() is None, "the page ended while starting"
        assert time.monotonic() < end, "the page did not start"
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2).text == "ok":
                return
        except httpx.TransportError:
            time.sleep(0.1)


def test_it_starts_serves_logs_json_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health and page answer; every line of the log is JSON; SIGTERM ends it with status 0.

    There is no welcome on the terminal: to write one, Streamlit asks a server outside for this
    machine's address.
    """
    log = tmp_path / "log"
    with running(log, monkeypatch) as (process, url):
        assert httpx.get(url).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines
    assert all({"time", "level", "logger", "event", "service", "request_id"} <= line.keys() for line in lines)
    assert {line["service"] for line in lines} == {"ui"}
    assert log.with_suffix(".out").read_text().split() in ([], ["Stopping..."])


def test_debug_is_for_our_own_records_only() -> None:
    """Streamlit deals with what visitors type; it must not get talkative about it."""
    assert "--logger.level=info" in flags(Settings(log_level="DEBUG"))


@pytest.mark.parametrize(
    "flag",
    [
        "--server.address=0.0.0.0",
        "--server.port=8501",
        "--server.fileWatcherType=none",
        "--server.headless=true",
        "--browser.gatherUsageStats=false",
        "--logger.hideWelcomeMessage=true",
        "--client.showErrorDetails=none",
        "--server.maxUploadSize=256",
    ],
)
def test_defaults_are_those_of_the_documents(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """U12 and U13; nothing is told to the outside, and no traceback to visitors."""
    for name in ("PECIA_UI__HOST", "PECIA_UI__PORT", "MAX_UPLOAD_MB", "PECIA_UI__MAX_DOCUMENT_MB"):
        monkeypatch.delenv(name, raising=False)
    assert flag in flags(Settings())
