"""Runs a module so that it dies with its parent, however the parent dies: even by kill -9.

`python -m pecia_standalone.leash PARENT_PID MODULE`. The kernel is asked for a signal at the parent's
death, then this process becomes the module; the request outlives the exec. Only Linux knows it:
elsewhere the module just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def command(module: str) -> list[str]:
    """What to start from this process, whose main thread must live as long as the child."""
    return [sys.executable, "-m", __name__, str(os.getpid()), module]


def _hold(parent: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the kernel was asked; then nobody would ever tell.
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Put the leash on and become the module."""
    parent, module = arguments
    _hold(int(parent))
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - a module of ours, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
