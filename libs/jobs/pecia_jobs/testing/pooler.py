"""A real PgBouncer before a test's PostgreSQL, in transaction mode: connections change hands at BEGIN."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pecia_jobs.testing.server import PostgresServer

_START_S = 30.0
_PORT = 6432
_SETTINGS = """\
[databases]
* = host={folder} user=pecia
[pgbouncer]
pool_mode = transaction
auth_type = any
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
default_pool_size = {connections}
max_client_conn = 200
logfile = {folder}/pgbouncer.log
"""


class NoPgBouncer(Exception):
    """PgBouncer is not installed here; the message says how to get it."""


@contextmanager
def pgbouncer(server: PostgresServer, *, connections: int) -> Iterator[str]:
    """Run it with so many connections to the server; gives the part of a URL that follows the database.

    Raises:
        NoPgBouncer: not installed.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        raise NoPgBouncer(
            "PgBouncer is not installed: its tests did not run. As root: apt-get install pgbouncer"
        )
    settings = server.folder / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(folder=server.folder, port=_PORT, connections=connections))
    settings.chmod(0o644)
    process = server.beside([program, str(settings)])
    try:
        _wait(server.folder / f".s.PGSQL.{_PORT}")
        yield f"?host={server.folder}&port={_PORT}"
    finally:
        process.kill()
        process.wait(_START_S)


def _wait(place: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(place))
            return
        time.sleep(0.05)
    raise TimeoutError("PgBouncer does not start: its log lies beside the server's data.")
