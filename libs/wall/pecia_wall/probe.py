"""What walls this machine holds, found out by a process that puts one up; said at the start of a service."""

import logging
import subprocess
import sys

from pecia_wall.bearing import Bearing
from pecia_wall.wall import WallMissing

log = logging.getLogger(__name__)

_PATIENCE_S = 60.0


def check(*, required: bool) -> Bearing:
    """Say in one line of the log what is in force, and warn of what is missing.

    Args:
        required: whether something may be missing.

    Raises:
        WallMissing: it may not, and is; the message says what, and what to do.
    """
    found = _found()
    if not found.missing:
        log.info("Files of strangers are opened behind walls", extra={"walls": str(found)})
        return found
    if required:
        raise WallMissing(
            f"PECIA_WALL__REQUIRED is on, and this machine does not hold: {', '.join(found.missing)}. Use a "
            "kernel and a container runtime that do, or switch the setting off."
        )
    log.warning(
        "Files of strangers are opened with less than all walls",
        extra={"walls": str(found), "missing": found.missing},
    )
    return found


def _found() -> Bearing:
    command = [sys.executable, "-I", "-m", "pecia_wall"]
    try:
        said = subprocess.run(  # noqa: S603  this program
            command, env={}, capture_output=True, timeout=_PATIENCE_S, check=True
        )
        return Bearing.parsed(said.stdout.decode())
    except (OSError, subprocess.SubprocessError, ValueError):
        return Bearing()
