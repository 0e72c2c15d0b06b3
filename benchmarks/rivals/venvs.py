"""The programs we are compared with, each installed in a virtual environment of its own under build/bench."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
OURS = ROOT / ".venv" / "bin" / "python"


def interpreter(name: str) -> Path:
    """The Python of a rival, installed where it is not there yet; the pins stand beside this file.

    Raises:
        subprocess.CalledProcessError: pip could not install it; pip has said why.
    """
    pins = (ROOT / "benchmarks" / "rivals" / f"{name}.txt").read_text()
    folder, stamp = BUILD / name, BUILD / name / ".installed"
    python = folder / "bin" / "python"
    if python.exists() and stamp.exists() and stamp.read_text() == pins:
        return python
    print(f"Installing {name} into build/bench/{name}; it takes a minute.", file=sys.stderr)
    BUILD.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "/dev/stdin"],
        pins,
    )
    stamp.write_text(pins)
    return python


def pinned(name: str) -> dict[str, str]:
    """Package -> version, as installed for a rival."""
    lines = (ROOT / "benchmarks" / "rivals" / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def _run(command: list[str], said: str | None = None) -> None:
    subprocess.run(command, check=True, input=said, text=True, stdout=sys.stderr)
