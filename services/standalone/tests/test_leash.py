"""A process on a leash dies with its parent."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

_PARENT = """
import subprocess, sys, time
from pecia_standalone.leash import command
child = subprocess.Popen(command("pecia_sleeper"), start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that ignores what can be ignored and says when it runs."""
    alive = tmp_path / "alive"
    code = f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen({str(alive)!r}, 'w')"
    (tmp_path / "pecia_sleeper.py").write_text(code + "\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return alive


def _until(condition: object, what: str) -> None:
    assert callable(condition)
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_kill_9_of_the_parent_takes_the_child(sleeper: Path) -> None:
    """The parent gets no chance to say anything; its child in another session is gone all the same."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        _until(sleeper.exists, "the child did not start")
        parent.kill()
    _until(lambda: not child.is_running(), "the child outlived its parent")


def test_a_parent_that_is_gone_already_is_noticed(sleeper: Path) -> None:
    """A child whose parent died before the kernel was asked does not start its module."""
    command = [sys.executable, "-m", "pecia_standalone.leash", "1", "pecia_sleeper"]
    assert subprocess.run(command, check=False, timeout=60).returncode == 1
    assert not sleeper.exists()
