"""The child process: `python -m pecia_core.pdf.child PARENT_PID MEMORY_BYTES SECONDS`, not for people.

It reads requests from stdin and answers on stdout until stdin ends.
"""

import ctypes
import os
import resource
import signal
import sys
from math import ceil
from typing import BinaryIO

from pecia_core.pdf import drawing, frames

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 64


def main() -> None:
    """Give up what is not needed, then answer until the parent goes away."""
    parent, memory_bytes, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # A Ctrl-C or a drain is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    _confine(memory_bytes)
    # Answers have a pipe of their own, so that no library can print into them.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _send(answers, frames.Ready())
    while _answer_next(sys.stdin.buffer, answers, seconds):
        pass


def _die_with(parent: int) -> None:
    """End when the parent ends, even at kill -9 and while a page hangs (elsewhere: at the next frame)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _confine(memory_bytes: int) -> None:
    """No more memory than this, no core dumps (they hold documents), no files written."""
    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _, most = resource.getrlimit(what)
        # A machine that allows less than we do has the last word.
        lowest = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(what, (lowest, lowest))


def _answer_next(requests: BinaryIO, answers: BinaryIO, seconds: float) -> bool:
    lengths = requests.read(frames.LENGTHS_BYTES)
    if len(lengths) < frames.LENGTHS_BYTES:
        return False
    header, payload = frames.lengths(lengths, frames.MAX_DOCUMENT_BYTES)
    request = frames.to_child_decoder.decode(requests.read(header))
    data = requests.read(payload)
    _allow(seconds)
    try:
        said, jpeg = drawing.answer(request, data)
    except drawing.CannotDraw as error:
        _send(answers, frames.Refused(error.why))
    else:
        _send(answers, said, jpeg)
    # Anything else ends this process: the parent starts a clean one.
    return True


def _allow(seconds: float) -> None:
    """So much more processor time, for the case that nobody is left to stop this page."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(used.ru_utime + used.ru_stime + seconds), most))


def _send(answers: BinaryIO, said: frames.FromChild, payload: bytes = b"") -> None:
    answers.write(frames.head(said, len(payload)))
    answers.write(payload)
    answers.flush()


if __name__ == "__main__":
    main()
