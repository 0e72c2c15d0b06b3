"""One child process, seen from the parent: start, ask, kill."""

import asyncio
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import msgspec
from pecia_wall import Bearing, buried

from pecia_core.errors import EngineFailed, Unavailable
from pecia_core.pdf import frames
from pecia_core.pdf.source import Source

# What a child runs; isolated from the folder it starts in and from what people have installed for themselves.
_PROGRAM = ("-I", "-m", "pecia_core.pdf.child")


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What a child may use.

    Attributes:
        page_timeout_s: seconds for one page, on the clock and of the processor.
        start_timeout_s: seconds until a new child answers; long, for machines that are busy.
        memory_bytes: address space of a child. PDFium needs 40 MiB, a page of 25 Mpx 250 MiB, and the
            document is mapped into it.
        max_pixels: of a drawn page; larger pages are drawn with fewer dots per inch.
        max_calls: until a child is replaced. Documents have processes of their own; this one only waits.
        wall_required: whether a child does without walls that the kernel does not hold.
    """

    page_timeout_s: float = 30.0
    start_timeout_s: float = 30.0
    memory_bytes: int = 1 << 30
    max_pixels: int = 25_000_000
    max_calls: int = 256
    wall_required: bool = False


class ChildGone(Exception):
    """The child died or spoke nonsense; it is good for nothing any more."""


class Child:
    """A process that reads one document at a time, one call at a time."""

    def __init__(self, process: Process, requests: socket.socket) -> None:
        """Take over a process just started; `start` makes one."""
        self._process = process
        self._requests = requests
        self.source: Source | None = None
        self.bearing = Bearing()
        self.calls = 0

    @classmethod
    async def start(cls, limits: RenderLimits) -> Self:
        """Start a process; it can be killed from now on, and asked once it is `ready`."""
        program = (sys.executable, *_PROGRAM)
        wall = "required" if limits.wall_required else "any"
        about = (str(os.getpid()), str(limits.memory_bytes), str(limits.page_timeout_s), wall)
        # A socket, not a pipe: documents go over as descriptors, whatever their size.
        ours, its = socket.socketpair()
        try:
            with its:
                process = await asyncio.create_subprocess_exec(
                    *(*program, *about),
                    stdin=its.fileno(),
                    stdout=PIPE,
                    stderr=DEVNULL,
                    env={},
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)  # noqa: FBT003  the library takes it by position
        return cls(process, ours)

    async def ready(self, timeout_s: float) -> None:
        """Wait until it can be asked.

        Raises:
            EngineFailed: it does not come up.
            Unavailable: not in time, on a machine that is busy.
        """
        try:
            async with asyncio.timeout(timeout_s):
                match await self._receive():
                    case frames.Ready(wall), _:
                        self.bearing = Bearing.parsed(wall)
                    case _:
                        raise ChildGone  # noqa: TRY301  told like its other ends
        except TimeoutError:
            message = "The process that draws PDF pages takes too long to start. Try again in a moment."
            raise Unavailable(message, retry_after=timeout_s) from None
        except (ChildGone, ValueError):
            message = "The process that draws PDF pages does not start. Send the pages as pictures."
            raise EngineFailed(message) from None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.returncode is None

    async def open(self, source: Source) -> frames.FromChild:
        """Hand over a document in place of the one it had; the answer is `Opened` or `Refused`.

        What holds for `ask` holds here.
        """
        self.calls += 1
        if self.source is not None:
            self.close()
        token = secrets.randbits(63)
        self._send(frames.Open(source.password, token), (source.descriptor,))
        said, _ = await self._receive()
        # Without the token it is what the process of an earlier document has left on the way.
        if not isinstance(said, frames.Opened | frames.Refused) or said.token != token:
            raise ChildGone
        if isinstance(said, frames.Opened):
            self.source = source
        return said

    def close(self) -> None:
        """Have it forget its document; nothing is waited for.

        Raises:
            ChildGone: it does not listen.
        """
        self.source = None
        self._send(frames.Close())

    async def ask(self, request: frames.Request) -> tuple[frames.FromChild, bytes]:
        """Ask about the open document, and wait for the answer and its payload.

        A call that does not come to its end leaves a child that must be killed: an answer is still
        on its way.

        Raises:
            ChildGone: no answer will come.
        """
        self.calls += 1
        self._send(request)
        return await self._receive()

    def _send(self, message: frames.ToChild, descriptors: tuple[int, ...] = ()) -> None:
        """At once: a request is far shorter than the room a socket has, and one is under way at a time."""
        frame = frames.head(message)
        try:
            sent = socket.send_fds(self._requests, [frame], descriptors)
        except OSError as error:
            raise ChildGone from error
        if sent < len(frame):
            raise ChildGone

    async def _receive(self) -> tuple[frames.FromChild, bytes]:
        answers = self._process.stdout
        assert answers is not None  # noqa: S101  it was started with a pipe
        try:
            lengths = await answers.readexactly(frames.LENGTHS_BYTES)
            header, payload = frames.lengths(lengths, frames.MAX_PICTURE_BYTES)
            said = frames.from_child_decoder.decode(await answers.readexactly(header))
            return said, await answers.readexactly(payload)
        except (EOFError, ConnectionError, ValueError, msgspec.MsgspecError) as error:
            raise ChildGone from error

    def kill(self) -> None:
        """End it at once, whatever it is doing, and whatever it may have started."""
        self._requests.close()
        # Not Process.kill: that reaps a child that has just died, and asyncio then misses it.
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and wait until nothing of it is left."""
        self.kill()
        await self._process.wait()
        for pause in buried(self.pid):
            await asyncio.sleep(pause)
