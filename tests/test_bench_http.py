"""`make bench-http`: its load against our own services with the scripted engine, and its page."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.http.load import Outcome
from benchmarks.http.measuring import Found, Loaded, noise, send, weighed
from benchmarks.http.report import render
from benchmarks.http.servers import ours
from benchmarks.processes import Scales, Spent, cpu_seconds, running, until

ROOT = Path(__file__).parents[1]


def invented() -> Found:
    """Ours answers ten times as fast, and adds five milliseconds."""
    timing = {"client_ms": 30.0, "engine_ms": 10.0, "decode_ms": 15.0}
    found = Found(added=Outcome([0.03], 0, 0.03, [timing]))
    for name, seconds in (("pecia", 0.5), ("rapidocr_api", 5.0)):
        outcome = Outcome([seconds] * 20, 1, 20 * seconds)
        found.loads[name] = {count: Loaded(outcome, Spent(10.0, 900.0)) for count in (1, 4, 16)}
    found.scripted = Loaded(Outcome([0.01] * 100, 0, 1.0), Spent(0.25, 100.0))
    return found


def test_the_page_has_every_part() -> None:
    """Loads, goals and what is added: with the figures that were put in."""
    page = render(invented(), 8, 40)
    assert "| pecia | 16 | 2.00 | 0.50 | 0.50 | 20 | 1 | 0.50 | 900 |" in page
    assert "| requests a second, 4 at a time | 4.5 x | 10.00 x | reached |" in page
    assert "| p95, 16 at a time | at most 0.25 | 0.10 | reached |" in page
    assert "| added by gateway and gRPC, 1 MB, p50 | under 8 ms | 5.0 ms | reached |" in page
    assert "100 requests a second" in page
    assert "answers 400 requests" in page
    assert str(ROOT) not in page


def test_a_server_that_answers_nothing_is_no_division_by_zero() -> None:
    """Errors alone are reported as such."""
    found = invented()
    found.loads["rapidocr_api"] = {4: Loaded(Outcome([], 3, 40.0), Spent(1.0, 900.0))}
    assert "| rapidocr_api | 4 | - | - | - | 0 | 3 | - | 900 |" in render(found, 8, 40)


def test_the_load_reaches_our_services(tmp_path: Path) -> None:
    """Five requests come back with the timings that the page needs, and the processes are weighed."""
    file = noise(tmp_path / "noise.png", 590)
    assert 900_000 < file.stat().st_size < 1_200_000
    with ours("scripted") as server:
        outcome = send(server, [file], 2, 60, 5)
        assert (len(outcome.seconds), outcome.errors, len(outcome.timings)) == (5, 0, 5)
        assert {"client_ms", "engine_ms", "decode_ms"} <= set(outcome.timings[0])
        loaded = weighed(server, server.pids, [file], 1, 0.5)
    assert loaded.spent.peak_mb > 50
    assert loaded.spent.cpu_s > 0


def test_children_are_weighed_with_their_parent() -> None:
    """Work done in a process below the one that is weighed counts, and goes on counting when it has ended."""
    work = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(5_000_000))']); input()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE) as process:
        with Scales([process.pid]) as scales:
            while psutil.Process(process.pid).cpu_times().children_user == 0:
                time.sleep(0.05)
        process.communicate(b"\n")
    assert scales.spent.cpu_s > 0
    assert cpu_seconds([os.getpid()]) > 0


def test_a_server_that_ends_is_not_waited_for() -> None:
    """The reason is told at once, not after two minutes."""
    began = time.monotonic()
    broken = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(RuntimeError, match="ended while"), running(broken, "invented", {}) as pid:
        until(lambda: False, "invented", pid)
    assert time.monotonic() - began < 60
