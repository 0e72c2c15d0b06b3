"""The README tells the truth: its lines run as they stand, its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parent.parent
_README = (_ROOT / "README.md").read_text()
_BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
# What each block under "Use it" must print.
_PROMISES = {
    "curl": ['"line_count"', '"choices"', '"object":"list"', '"status":"healthy"'],
    "OpenAI's Python client": ["77.145"],
    "gRPC": ["BBox(", "77.145"],
    "The command": ["TOTAL 77.145", "77.145", "rapid"],
}


def _blocks() -> dict[str, list[tuple[str, str]]]:
    """Heading -> its blocks, each a language and its lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(_README)]
    for match in _BLOCK.finditer(_README):
        heading = [name for start, name in headings if start < match.start()][-1]
        found.setdefault(heading, []).append((match[1], match[2]))
    return found


def test_two_commands_are_all_the_set_up() -> None:
    """`make up` and `make test`, and the Makefile knows both."""
    assert _blocks()["Start"] == [("bash", "make up\n"), ("bash", "make test\n")]
    makefile = (_ROOT / "Makefile").read_text()
    assert re.search(r"^up:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)


def test_every_block_is_run() -> None:
    """No line of the README is left to trust."""
    # Jobs need a worker; the same commands are run where there is one (test_jobs_docs, test_jobs_whole_way).
    assert set(_blocks()) == {"Start", "Long documents", *_PROMISES}
    assert all(len(_blocks()[heading]) == 1 for heading in _PROMISES)


@pytest.mark.engine
@pytest.mark.parametrize("heading", _PROMISES)
def test_block(heading: str, stack: Any) -> None:
    """It runs as it stands, but for the addresses and where the programs are, and prints what it should."""
    ((language, lines),) = _blocks()[heading]
    programs = Path(sys.executable).parent
    for written, here in (
        ("http://127.0.0.1:8000", stack.url),
        ("127.0.0.1:50051", stack.target),
        (".venv/bin", str(programs)),
    ):
        lines = lines.replace(written, here)
    shell = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*shell, lines],
        cwd=_ROOT,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        | {"API_BASE": stack.url},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    missing = [promise for promise in _PROMISES[heading] if promise not in done.stdout]
    assert not missing, done.stdout


def test_troubles_are_told_with_their_remedies() -> None:
    """What the table quotes is what the programs say, and the flags and settings it names exist."""
    _, _, table = _README.partition("## When something is wrong")
    table, _, _ = table.partition("\n## ")
    sources = "".join(path.read_text() for path in (_ROOT / "services" / "standalone").rglob("*.py"))
    sources += (_ROOT / "scripts" / "install").read_text() + (_ROOT / "docs" / "CONFIG.md").read_text()
    assert "is taken" in sources
    assert "Python's venv module is missing" in sources
    for name in (*re.findall(r"--[a-z]+(?:-[a-z]+)*", table), *re.findall(r"PECIA_[A-Z_]+", table)):
        assert name in sources, name


def test_links_lead_somewhere() -> None:
    """Every file the README points at exists."""
    targets = re.findall(r"\]\(([^)#]+)\)", _README)
    missing = [
        target for target in targets if not target.startswith("http") and not (_ROOT / target).exists()
    ]
    assert not missing
