"""Real databases for tests: a PostgreSQL server of one's own, and SQLite files."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import asyncpg
from pecia_wall import die_with

_START_S = 60.0
_USER = "pecia"
# The file system keeps what a killed server has written: only the machine's own end needs fsync.
_FAST = ("fsync=off", "full_page_writes=off")
_SETTINGS = (
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=128MB",
    "autovacuum_naptime=1s",
    "log_min_messages=fatal",
)


class NoPostgres(Exception):
    """PostgreSQL is not installed here; the message says how to get it."""


def sqlite_url(folder: Path) -> str:
    """A database file in a folder."""
    return f"sqlite+aiosqlite:///{folder / 'jobs.sqlite3'}"


@contextmanager
def postgres(*, durable: bool = False) -> Iterator["PostgresServer"]:
    """A server with data of its own, which is gone afterwards; it dies with this process, too.

    Args:
        durable: write as in production (fsync); for measuring.

    Raises:
        NoPostgres: not installed.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="pecia-pg-"))
    server = PostgresServer(folder, binaries, durable=durable)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


class PostgresServer:
    """One server; it can be stopped, killed and started again with the same data."""

    def __init__(self, folder: Path, binaries: Path, *, durable: bool) -> None:
        """Not running yet; data, socket and log lie in `folder`."""
        self._folder = folder
        self._binaries = binaries
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        # It refuses to run as root: then another user has to.
        self._user = _other_user() if os.geteuid() == 0 else None

    def url(self, database: str = "postgres") -> str:
        """For `Database`."""
        return f"postgresql+asyncpg://{_USER}@/{database}?host={self._folder}"

    async def new_database(self, template: str = "template1") -> str:
        """Make an empty database, or a copy of one nobody is connected to; gives its URL."""
        self._databases += 1
        name = f"pecia_{self._databases}"
        await self.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return self.url(name)

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement from outside."""
        connection = await asyncpg.connect(host=str(self._folder), user=_USER, database=database)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def create(self) -> None:
        """Make the data folder."""
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        options = ["--auth=trust", f"--username={_USER}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", *options, "-D", str(self._folder / "data"))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = (*_SETTINGS, *(() if self._durable else _FAST), f"unix_socket_directories={self._folder}")
        command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data")]
        command += [part for setting in settings for part in ("-c", setting)]
        end = time.monotonic() + _START_S
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                # Right after a kill its children still hold the memory: it has to be tried again.
                self._process = self._popen(command)
            if time.monotonic() > end:
                raise TimeoutError(f"PostgreSQL does not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order; connections are cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would: nothing is written any more."""
        self._end(signal.SIGKILL)

    @property
    def folder(self) -> Path:
        """Where its socket lies."""
        return self._folder

    def beside(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """Start a program that goes with it: as its user, in its folder, and no longer alive than this."""
        return self._popen(command)

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(_START_S)
        self._process = None

    def _answers(self) -> bool:
        if self._process is None:
            return False
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._folder), "-t", "5"]
        return subprocess.run(ready, check=False).returncode == 0  # noqa: S603 - a program of PostgreSQL's

    def _run(self, program: str, *arguments: str) -> None:
        process = self._popen([str(self._binaries / program), *arguments])
        if process.wait(_START_S):
            raise RuntimeError(f"{program} failed: {self._log.read_text()[-2000:]}")

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - a program of PostgreSQL's
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                # After the child has become its user, which would forget it.
                preexec_fn=partial(die_with, os.getpid(), signal.SIGQUIT),  # noqa: PLW1509 - two system calls
            )


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody.")


def _binaries() -> Path:
    """The folder of the newest server installed."""
    known = [Path(found).parent for found in [shutil.which("initdb")] if found]
    known += [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    known += [path.parent for path in Path("/opt/homebrew/opt").glob("postgresql*/bin/initdb")]
    complete = [path for path in known if (path / "postgres").exists() and (path / "pg_isready").exists()]
    if not complete:
        raise NoPostgres(
            "PostgreSQL is not installed: its tests did not run. As root: apt-get install postgresql"
        )
    return max(complete, key=_version)


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdecimal() else 0
