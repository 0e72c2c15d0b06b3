"""What is left to a process that handles strangers' bytes."""

import os
from dataclasses import dataclass
from pathlib import Path

from pecia_wall import kernel, landlock, seccomp
from pecia_wall.bearing import Bearing
from pecia_wall.landlock import Access, Rule
from pecia_wall.seccomp import Filter


class WallMissing(Exception):
    """Something of the wall that had to be there cannot be had; the message says what."""


@dataclass(frozen=True, slots=True)
class Wall:
    """What a process may still do; nothing else can be opened, made, run or reached.

    Attributes:
        calls: system calls.
        blind: system calls instead, where the kernel has no Landlock; None = the same.
        rules: files.
        connects: whether it may make TCP connections.
    """

    calls: Filter
    blind: Filter | None = None
    rules: tuple[Rule, ...] = ()
    connects: bool = False

    def enter(self, *, required: bool = False) -> Bearing:
        """Put it up around this process and whatever it starts from now on; for ever.

        Everything that is needed has to be imported and opened before, and no second thread may run: a
        thread that is there already would stay outside.

        Args:
            required: all of it, or nothing.

        Raises:
            WallMissing: it is required and something of it cannot be had.
            RuntimeError: there are threads.
            OSError: the kernel refuses what it says it has.
        """
        if (threads := _threads()) > 1:
            raise RuntimeError(f"a wall is put up before threads start; {threads} run")
        privileges = kernel.no_new_privs()
        # Written before files are closed off: libseccomp is one.
        seeing, blind = seccomp.compiled(self.calls), seccomp.compiled(self.blind or self.calls)
        found = landlock.restrict(self.rules, connects=self.connects) if privileges else 0
        steps = seeing if found else blind
        filtered = steps is not None and privileges and kernel.load_filter(steps)
        bearing = Bearing(found, filtered, privileges)
        if required and bearing.missing:
            raise WallMissing(f"This machine's kernel does not hold: {', '.join(bearing.missing)}.")
        return bearing


class Narrower:
    """Fewer system calls for a process forked behind a wall; written before, where files can be opened."""

    def __init__(self, calls: Filter) -> None:
        """Write the filter."""
        self._steps = seccomp.compiled(calls)

    def enter(self) -> None:
        """Put it up around this process as well, for ever; nothing where there is no libseccomp.

        Raises:
            OSError: the kernel refuses it.
        """
        if self._steps is not None and not kernel.load_filter(self._steps):
            raise OSError("a narrower filter of system calls was refused")


def reading(*paths: str) -> tuple[Rule, ...]:
    """Rules to read what lies at and below these paths."""
    return tuple(Rule(path, Access.READ) for path in paths)


def running(*paths: str) -> tuple[Rule, ...]:
    """Rules to read and run these programs, wherever links lead."""
    return tuple(Rule(os.path.realpath(path), Access.READ | Access.RUN) for path in paths)


def _threads() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:  # no /proc: nothing can be said
        return 1
