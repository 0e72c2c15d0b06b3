"""Memory that is used again instead of being asked for again."""

import platform
import subprocess
import sys

import pytest
from pecia_core.memory import hand_back_freed_memory, keep_freed_memory

_PIECES = """
import resource, sys
if sys.argv[1] == "kept":
    from pecia_core.memory import keep_freed_memory
    keep_freed_memory()
for turn in range(41):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [bytes(3 << 20) + b"x" for _ in range(5)]
    del pieces
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(kept: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PIECES, kept], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed memory back eagerly")
def test_the_system_is_not_asked_again_for_what_was_freed() -> None:
    """Forty requests of megabytes cost the page faults of the first."""
    assert keep_freed_memory()
    assert _faults("kept") < _faults("handed back") / 5


_SCATTERED = """
from pecia_core.memory import hand_back_freed_memory
def resident():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1])
empty = resident()
pieces = [bytearray(b"x" * 60_000) for _ in range(4000)]
kept = pieces[::100]
del pieces
before = resident()
hand_back_freed_memory()
print((resident() - empty) / (before - empty))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's heap")
def test_what_lies_between_is_handed_back() -> None:
    """A few pieces that are kept hold up hundreds of megabytes, until they are asked for."""
    assert hand_back_freed_memory()
    done = subprocess.run([sys.executable, "-c", _SCATTERED], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.2
