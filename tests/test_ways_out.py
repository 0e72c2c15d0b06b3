"""There is one way out to addresses that somebody else names, and a linter refuses another."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STRAYS = [
    "import urllib.request",
    "from urllib.request import urlopen",
    "import http.client",
    "import asyncio\n\nasync def stray() -> None:\n    await asyncio.open_connection('a', 1)",
    "import socket\n\nsocket.create_connection(('a', 1))",
    "from socket import create_connection",
    "import smtplib",
]


def lint(source: str) -> subprocess.CompletedProcess[str]:
    """What ruff says of a module of the worker with this in it."""
    ruff = Path(sys.executable).with_name("ruff")
    place = "services/worker/pecia_worker/stray.py"
    command = [str(ruff), "check", "--select", "TID251", "--stdin-filename", place, "-"]
    return subprocess.run(command, input=source, text=True, capture_output=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("stray", STRAYS)
def test_pythons_own_ways_out_are_banned(stray: str) -> None:
    """The message names the way to take instead."""
    done = lint(stray)
    assert done.returncode == 1
    assert "pecia_fetch is the one way out" in done.stdout


def test_what_only_takes_addresses_apart_is_not() -> None:
    """Or pairs of sockets to our own children."""
    assert lint("import socket\nfrom urllib.parse import urlsplit\n\nsocket.socketpair()").returncode == 0
