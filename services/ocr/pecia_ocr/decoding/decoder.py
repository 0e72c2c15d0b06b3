"""Has pictures decoded by a process behind walls, and takes their pixels from memory they share."""

import fcntl
import mmap
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from threading import Lock

import numpy as np
from pecia_core.errors import EngineFailed, InvalidDocument, TooLarge
from pecia_core.header import PictureHeader, sniff
from pecia_wall import Bearing

from pecia_ocr.decoding.encoded import ENOUGH_PIXELS, Decoded
from pecia_ocr.decoding.exchange import Answer, Ask, Outcome
from pecia_ocr.engines.base import CancelToken

_PROGRAM = ("-I", "-m", "pecia_ocr.decoding.child")
# Numbers are computed by one thread: walls go up before there is a second one.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
_BEARING_BYTES = 100
_GRACE_S = 5.0  # until a picture that was given up is gone
_PATIENCE_S = 30.0  # until it has started, on a machine that does much else
_FIXED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one picture may use.

    Attributes:
        max_pixels: of the picture.
        memory_bytes: of address space. A pixel can need 20 bytes on its way.
        seconds: on the clock and of the processor.
        wall_required: whether it is decoded without walls that the kernel does not hold.
    """

    max_pixels: int = 100_000_000
    memory_bytes: int = 3 << 30
    seconds: int = 30
    wall_required: bool = False


class Decoder:
    """Decodes one picture at a time, for all threads of this process."""

    def __init__(self, limits: DecodeLimits) -> None:
        """Nothing runs yet."""
        self._limits = limits
        self._turn = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self.bearing = Bearing()

    def start(self) -> None:
        """Start the process, if none runs.

        Raises:
            EngineFailed: it does not come up.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self._end()
        ours, its = socket.socketpair()
        limits = self._limits
        about = (
            os.getpid(),
            limits.memory_bytes,
            limits.seconds,
            "required" if limits.wall_required else "any",
        )
        with its:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, *_PROGRAM, *map(str, about)],
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
            )
        self._requests = ours
        ours.settimeout(_PATIENCE_S)
        try:
            self.bearing = Bearing.parsed(ours.recv(_BEARING_BYTES).decode())
        except (OSError, ValueError):
            self._end()
            raise EngineFailed("The process that decodes pictures does not start.") from None
        ours.settimeout(limits.seconds)

    def decode(self, data: bytes, cancel: CancelToken) -> Decoded:
        """The picture's pixels, reduced where it is far larger than reading needs.

        Raises:
            InvalidDocument: damaged, cut short, or more than a decoder can take.
            UnsupportedDocument: not a JPEG, PNG, WEBP, BMP or TIFF.
            TooLarge: too many pixels, or more than memory holds.
            Interrupted: `cancel` said so; the process has been ended.
            EngineFailed: no decoder can be had.
        """
        header = sniff(data)
        if header.pixels > self._limits.max_pixels:
            raise _too_large(header)
        with self._turn:
            cancel.check()
            working = True

            def stop() -> None:
                if working:
                    self._give_up()

            cancel.on_cancel(stop)
            try:
                return self._decode(data, header)
            except _Fault:
                cancel.check()
                raise InvalidDocument(
                    f"The {header.format} picture breaks the program that decodes it, or takes longer than "
                    f"{self._limits.seconds} s: save it again and send that."
                ) from None
            finally:
                working = False

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _decode(self, data: bytes, header: PictureHeader) -> Decoded:
        self.start()
        assert self._requests is not None  # noqa: S101  it has just been started
        size = header.pixels * 3
        source, room = _memory(len(data)), _memory(size + Answer.BYTES)
        try:
            os.pwrite(source, data, 0)
            ask = Ask(self._limits.max_pixels, ENOUGH_PIXELS)
            socket.send_fds(self._requests, [ask.packed()], [source, room])
            self._wait()
            return _taken(room, header, size)
        except OSError as error:
            self._end()
            raise _Fault from error
        finally:
            os.close(source)
            os.close(room)

    def _wait(self) -> None:
        """Until the picture is decoded, or has taken its time.

        Raises:
            _Fault: its process broke, or was given up; another one takes the next picture.
            OSError: whoever starts those does not answer.
        """
        assert self._requests is not None  # noqa: S101  it has been asked something
        try:
            said = self._requests.recv(1)
        except TimeoutError:
            self._give_up()
            self._requests.settimeout(_GRACE_S)
            said = self._requests.recv(1)
        self._requests.settimeout(self._limits.seconds)
        if not said:
            raise ConnectionResetError
        if said != b"\0":
            raise _Fault

    def _give_up(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def _end(self) -> None:
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._requests = None


class _Fault(Exception):
    """The process died, or hangs, or what it says cannot be."""


def _taken(room: int, header: PictureHeader, size: int) -> Decoded:
    """What stands in the room. Whoever wrote it has ended."""
    with mmap.mmap(room, 0, mmap.MAP_SHARED, mmap.PROT_READ) as whole:
        try:
            answer = Answer.unpacked(whole[size:])
        except ValueError:
            raise _Fault from None
    match answer.outcome:
        case Outcome.TOO_LARGE:
            raise _too_large(header)
        case Outcome.DAMAGED:
            raise InvalidDocument(
                f"The {header.format} picture is damaged or cut short: send the original file again."
            )
    if not answer.fits((header.width, header.height), size):
        raise _Fault
    # Private: what an engine writes into its page is its own. The array keeps the mapping.
    shape = (answer.height, answer.width, 3)
    pages = mmap.mmap(room, answer.height * answer.width * 3, mmap.MAP_PRIVATE)
    return Decoded(np.ndarray(shape, np.uint8, pages), answer.true_width, answer.true_height)


def _memory(size: int) -> int:
    """A file of memory whose size nobody can change: pages that vanish would end who looks at them."""
    descriptor = os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FIXED)
    return descriptor


def _too_large(header: PictureHeader) -> TooLarge:
    return TooLarge(
        f"{header.width} x {header.height} pixels are too many: send a smaller picture.",
        code="image_too_large",
    )
