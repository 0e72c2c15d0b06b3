"""The one program that decodes pictures: `python -m pecia_ocr.decoding.child PARENT MEMORY CPU WALL`.

Not for people. It puts up its walls, and then has a process of its own for each picture, which decodes it
from memory to memory and ends. What a picture may do to that process ends with it: this one touches none.
"""

import gc
import mmap
import os
import signal
import socket
import sys

import numpy as np
from pecia_core.errors import PeciaError, TooLarge
from pecia_wall import Limits, Narrower, Wall, die_with
from pecia_wall.calls import DECODING, FORKING

from pecia_ocr.decoding import encoded, formats
from pecia_ocr.decoding.exchange import Answer, Ask, Outcome
from pecia_ocr.engines.base import Pixels

# No file at all can be opened, made or run.
WALL = Wall(FORKING)
_DESCRIPTORS = 64


def main() -> None:
    """Give up what is not needed, then decode until the parent goes away."""
    parent, memory_bytes, cpu_s = (int(word) for word in sys.argv[1:4])
    # A Ctrl-C or a drain is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    turn = _Turn()
    signal.signal(signal.SIGTERM, turn.give_up)
    die_with(parent)
    requests = socket.socket(fileno=os.dup(0))
    formats.only_these()
    for sample in formats.samples():
        encoded.decode_for_reading(sample)
    narrower = Narrower(DECODING)
    bearing = WALL.enter(required=sys.argv[4] == "required")
    Limits(open_files=_DESCRIPTORS, processes=True).apply()
    gc.freeze()  # what is loaded is shared with the processes to come, and not looked through by them
    requests.sendall(str(bearing).encode())
    limits = Limits(memory_bytes, cpu_s)
    while (call := _next(requests)) is not None:
        ask, source, room = call
        us = os.getpid()
        turn.decoder = os.fork()
        if not turn.decoder:
            _decode_and_end(ask, (source, room), us, limits, narrower)
        os.close(source)
        os.close(room)
        _, status = os.waitpid(turn.decoder, 0)
        turn.decoder = 0
        requests.sendall(b"\1" if status else b"\0")


class _Turn:
    """The picture that is being decoded; SIGTERM says that nobody wants it any more."""

    def __init__(self) -> None:
        self.decoder = 0

    def give_up(self, *_: object) -> None:
        if self.decoder:
            os.kill(self.decoder, signal.SIGKILL)


def _decode_and_end(
    ask: Ask, descriptors: tuple[int, int], starter: int, limits: Limits, narrower: Narrower
) -> None:
    ended = 1
    try:
        die_with(starter)
        source, room = descriptors
        # What comes in and what goes out is memory: nothing else has to be asked of the kernel.
        picture = mmap.mmap(source, 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
        paper = mmap.mmap(room, 0)
        os.closerange(0, _DESCRIPTORS)
        limits.apply()
        narrower.enter()
        paper[-Answer.BYTES :] = decode(ask, picture[:], memoryview(paper)[: -Answer.BYTES]).packed()
        ended = 0
    finally:
        os._exit(ended)


def decode(ask: Ask, data: bytes, room: memoryview) -> Answer:
    """Put the pixels into the room, and say what they are."""

    def paper(height: int, width: int) -> Pixels:
        return np.ndarray((height, width, 3), np.uint8, room)

    try:
        decoded = encoded.decode_for_reading(data, ask.max_pixels, ask.enough, paper)
    except TooLarge:
        return Answer(Outcome.TOO_LARGE)
    except PeciaError:
        return Answer(Outcome.DAMAGED)
    height, width, _ = decoded.pixels.shape
    return Answer(Outcome.DECODED, width, height, decoded.width, decoded.height)


def _next(requests: socket.socket) -> tuple[Ask, int, int] | None:
    start, descriptors, _, _ = socket.recv_fds(requests, Ask.BYTES, 2, socket.MSG_WAITALL)
    if len(start) < Ask.BYTES:
        return None
    source, room = descriptors
    return Ask.unpacked(start), source, room


if __name__ == "__main__":
    main()
