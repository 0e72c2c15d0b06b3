"""What the jobs stood on: libraries and servers, by version."""

import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("sqlalchemy", "asyncpg", "aiosqlite", "obstore", "moto", "pypdfium2")


def stood_on() -> str:
    """A sentence for the end of the page."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"SQLite {sqlite3.sqlite_version}, {_postgres()}, {packages}.\n"


def _postgres() -> str:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    command = [str(found[-1]) if found else "postgres", "--version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "PostgreSQL of unknown version"
