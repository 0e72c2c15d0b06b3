"""No engine asks anything of any network while it loads and reads: counted by the kernel."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("engine_alone.py")
OWN_NETWORK = ["unshare", "--map-root-user", "--net"]


def can_have_its_own() -> bool:
    """Whether this machine lets a process have a network of its own."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*OWN_NETWORK, "true"], check=False, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not can_have_its_own(), reason="no network namespaces here (unshare, ip)"),
]


def counted(engine: str, **config: object) -> dict[str, int]:
    """What the kernel counted of an engine in a network of its own."""
    command = [*OWN_NETWORK, sys.executable, str(PROGRAM), engine, json.dumps(config)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_what_is_asked_is_counted() -> None:
    """The control: one request is one connection, whether or not somebody answers."""
    assert counted("control")["connections"] == 1


@pytest.mark.parametrize("engine", ["rapid", "tesseract", "scripted"])
def test_no_engine_asks_anything(engine: str) -> None:
    """No model is fetched, no version looked up, nothing told to anybody."""
    told = counted(engine)
    assert (told["connections"], told["messages"]) == (0, 0)
    assert told["said"] > 0


@pytest.mark.skipif(find_spec("torch") is None, reason="no torch here: make torch")
def test_deepseek_asks_nothing(tiny_checkpoint: Path) -> None:
    """Nor does transformers, whose business is fetching models."""
    told = counted("deepseek", folder=str(tiny_checkpoint), device="cpu", slots=1, max_tokens=16)
    assert (told["connections"], told["messages"]) == (0, 0)
    assert told["said"] > 0
