"""What a process may use up, and when it ends without being asked."""

import os
import resource
import signal
from dataclasses import dataclass

from pecia_wall.kernel import libc

_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that the kernel holds a process to. No core dumps in any case: they hold documents.

    Attributes:
        memory_bytes: of address space; None = without bound.
        cpu_s: seconds of processor time; None = without bound.
        open_files: descriptors at once; None = as it was.
        file_bytes: that may be written to one file; None = without bound.
        processes: whether it may start others. Root may, whatever is said here: that is seccomp's to hold.
    """

    memory_bytes: int | None = None
    cpu_s: int | None = None
    open_files: int | None = 64
    file_bytes: int | None = 0
    processes: bool = False

    def apply(self) -> None:
        """For this process and all that it starts. A machine that allows less has the last word."""
        for what, most in (
            (resource.RLIMIT_AS, self.memory_bytes),
            (resource.RLIMIT_CPU, self.cpu_s),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NPROC, None if self.processes else 0),
            (resource.RLIMIT_CORE, 0),
        ):
            if most is not None:
                _, hard = resource.getrlimit(what)
                lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
                resource.setrlimit(what, (lowest, lowest))


def die_with(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """End when the process `parent` does, even at kill -9 (elsewhere than on Linux: not by this).

    It outlives an exec, but not a change of the user: that comes first. A parent's thread that started this
    process counts as the parent: it must live as long.

    Args:
        parent: whose child this is; where it is gone already, nobody would ever tell, and this ends at once.
        by: how the kernel ends this process then.
    """
    if libc is not None:
        libc.prctl(_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
