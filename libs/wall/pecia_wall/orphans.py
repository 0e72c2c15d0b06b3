"""Processes whose starter has been killed, and that have become ours.

In a container the service is the first process, and the kernel gives it what others leave behind: if it
does not ask how they ended, they stay in the table of processes for ever.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat

_STEP_S = 0.01
_STEPS = 100


def buried(group: int) -> Iterator[float]:
    """Ask after what is left of a process group, whose first process has been waited for.

    Yields seconds to wait before the next look, a second in all; nothing where none of it is ours.
    """
    with suppress(ChildProcessError):
        for pause in repeat(_STEP_S, _STEPS):
            while os.waitpid(-group, os.WNOHANG)[0]:
                pass
            yield pause
