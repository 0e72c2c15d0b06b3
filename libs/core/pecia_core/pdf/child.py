"""The child process: `python -m pecia_core.pdf.child PARENT_PID MEMORY_BYTES SECONDS WALL`, not for people.

It puts up its walls, and then has a process of its own for each document, which hears requests on the
socket that is stdin and answers on stdout. What a document may do to that process ends with it: this
one touches none, and the next document finds a clean one.
"""

import gc
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from math import ceil
from typing import BinaryIO

from pecia_wall import Limits, Narrower, Wall, die_with
from pecia_wall.calls import DRAWING, FORKING, FORKING_DRAWERS
from pecia_wall.wall import reading

from pecia_core.pdf import drawing, frames, glyphs
from pecia_core.pdf.opened import CannotRead, Opened

# Where PDFium looks for fonts that a document does not bring along. Nothing else can be opened.
_FONTS = (
    "/usr/share/fonts",
    "/usr/share/X11/fonts/Type1",
    "/usr/share/X11/fonts/TTF",
    "/usr/local/share/fonts",
)
WALL = Wall(FORKING_DRAWERS, blind=FORKING, rules=reading(*_FONTS))


def main() -> None:
    """Give up what is not needed, then answer until the parent goes away."""
    parent, memory_bytes, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # A Ctrl-C or a drain is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)
    # Answers have a pipe of their own, so that no library can print into them.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    drawing.prepare()
    glyphs.prepare()
    narrower = Narrower(DRAWING)
    bearing = WALL.enter(required=sys.argv[4] == "required")
    Limits(memory_bytes, processes=True).apply()
    gc.freeze()  # what is loaded is shared with the processes to come, and not looked through by them
    _send(answers, frames.Ready(str(bearing)))
    while (request := _next(requests)) is not None:
        match request:
            case frames.Open() as opening, descriptors:
                _read(opening, descriptors[0], _Line(requests, answers, seconds, narrower))
            case _:  # to close what its process has given up already
                pass


class _Line:
    """The way to the parent and back, and what a document may use of the processor at each request."""

    def __init__(
        self, requests: socket.socket, answers: BinaryIO, seconds: float, narrower: Narrower
    ) -> None:
        self.requests = requests
        self.answers = answers
        self.narrower = narrower
        self._seconds = seconds

    def serve(self, opening: frames.Open, descriptor: int) -> None:
        """Answer about one document until it is closed, in a process that ends with it."""
        self._allow()
        try:
            document = Opened(descriptor, opening.password)
        except CannotRead as error:
            _send(self.answers, frames.Refused(error.why, opening.token))
            return
        _send(self.answers, frames.Opened(document.pages, opening.token))
        while (received := _next(self.requests)) is not None:
            request, _ = received
            if not isinstance(request, frames.Request):
                return
            self._allow()
            try:
                _send(self.answers, *document.answer(request))
            except CannotRead as error:
                _send(self.answers, frames.Refused(error.why))

    def _allow(self) -> None:
        """So much more processor time, for the case that nobody is left to stop this page."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        seconds = ceil(used.ru_utime + used.ru_stime + self._seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))


def _read(opening: frames.Open, descriptor: int, line: _Line) -> None:
    """Have a process of its own read the document. When it breaks, so does this one: a new one is started."""
    us = os.getpid()
    reader = os.fork()
    if not reader:
        ended = 1
        try:
            die_with(us)
            Limits().apply()
            line.narrower.enter()
            line.serve(opening, descriptor)
            ended = 0
        finally:
            os._exit(ended)
    os.close(descriptor)
    _, status = os.waitpid(reader, 0)
    if status:
        os._exit(1)


def _next(requests: socket.socket) -> tuple[frames.ToChild, list[int]] | None:
    """The next request and the descriptors that came with it; None at the end."""
    start, descriptors, _, _ = socket.recv_fds(requests, frames.LENGTHS_BYTES, 1, socket.MSG_WAITALL)
    if len(start) < frames.LENGTHS_BYTES:
        return None
    header, _ = frames.lengths(start, 0)
    return frames.to_child_decoder.decode(requests.recv(header, socket.MSG_WAITALL)), descriptors


def _send(answers: BinaryIO, said: frames.FromChild, payload: bytes = b"") -> None:
    answers.write(frames.head(said, len(payload)))
    answers.write(payload)
    answers.flush()


if __name__ == "__main__":
    with suppress(ConnectionError):  # the parent has gone
        main()
