"""Runs a module so that it dies with its parent, however the parent dies: even by kill -9.

`python -m pecia_standalone.leash PARENT_PID MODULE`. The kernel is asked for a signal at the parent's
death, then this process becomes the module; the request outlives the exec. Only Linux knows it:
elsewhere the module just runs.
"""

import os
import sys

from pecia_wall import die_with


def command(module: str) -> list[str]:
    """What to start from this process, whose main thread must live as long as the child."""
    return [sys.executable, "-m", __name__, str(os.getpid()), module]


def main(arguments: list[str]) -> None:
    """Put the leash on and become the module."""
    parent, module = arguments
    die_with(int(parent))
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - a module of ours, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
