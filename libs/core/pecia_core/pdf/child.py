"""The child process: `python -m pecia_core.pdf.child PARENT_PID MEMORY_BYTES SECONDS`, not for people.

It reads requests from the socket that is its stdin and answers on stdout until stdin ends.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from math import ceil
from typing import BinaryIO

from pecia_core.pdf import frames
from pecia_core.pdf.opened import CannotRead, Opened

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
    desk = Desk(answers)
    requests = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    while (request := _next(requests)) is not None:
        _allow(seconds)
        desk.answer(*request)


class Desk:
    """Where one document lies open at a time."""

    def __init__(self, answers: BinaryIO) -> None:
        """Nothing lies there yet."""
        self._answers = answers
        self._document: Opened | None = None

    def answer(self, request: frames.ToChild, descriptors: list[int]) -> None:
        """Do what is asked. An unforeseen error ends this process: the parent starts a clean one."""
        try:
            match request:
                case frames.Open(password):
                    self._clear()
                    self._document = Opened(descriptors[0], password)
                    _send(self._answers, frames.Opened(self._document.pages))
                case frames.Close():
                    self._clear()
                case _:
                    assert self._document is not None  # noqa: S101  the parent asks about what is open
                    _send(self._answers, *self._document.answer(request))
        except CannotRead as error:
            _send(self._answers, frames.Refused(error.why))

    def _clear(self) -> None:
        if self._document is not None:
            self._document.close()
            self._document = None


def _next(requests: socket.socket) -> tuple[frames.ToChild, list[int]] | None:
    """The next request and the descriptors that came with it; None at the end."""
    start, descriptors, _, _ = socket.recv_fds(requests, frames.LENGTHS_BYTES, 1, socket.MSG_WAITALL)
    if len(start) < frames.LENGTHS_BYTES:
        return None
    header, _ = frames.lengths(start, 0)
    return frames.to_child_decoder.decode(requests.recv(header, socket.MSG_WAITALL)), descriptors


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
    with suppress(ConnectionError):  # the parent has gone
        main()
