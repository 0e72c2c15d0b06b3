"""One child process, seen from the parent: start, ask, kill."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import msgspec

from pecia_core.errors import EngineFailed
from pecia_core.pdf import frames


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What a child may use.

    Attributes:
        page_timeout_s: seconds for one page, on the clock and of the processor.
        start_timeout_s: seconds until a new child answers; long, for machines that are busy.
        memory_bytes: address space of a child. PDFium needs 40 MiB, a page of 25 Mpx 250 MiB.
        max_pixels: of a drawn page; larger pages are drawn with fewer dots per inch.
        max_calls: documents until a child is replaced, so that what PDFium loses does not add up.
    """

    page_timeout_s: float = 30.0
    start_timeout_s: float = 30.0
    memory_bytes: int = 1 << 30
    max_pixels: int = 25_000_000
    max_calls: int = 64


class ChildGone(Exception):
    """The child died or spoke nonsense; it is good for nothing any more."""


class Child:
    """A process that draws, one call at a time."""

    def __init__(self, process: Process) -> None:
        """Take over a process just started; `start` makes one."""
        self._process = process
        self.calls = 0

    @classmethod
    async def start(cls, limits: RenderLimits) -> Self:
        """Start a process; it can be killed from now on, and asked once it is `ready`."""
        program = (sys.executable, "-I", "-m", "pecia_core.pdf.child")
        about = (str(os.getpid()), str(limits.memory_bytes), str(limits.page_timeout_s))
        return cls(
            await asyncio.create_subprocess_exec(
                *program, *about, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, start_new_session=True
            )
        )

    async def ready(self, timeout_s: float) -> None:
        """Wait until it can be asked.

        Raises:
            EngineFailed: it does not come up.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._receive()
        except (TimeoutError, ChildGone):
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

    async def ask(self, request: frames.ToChild, data: bytes) -> tuple[frames.FromChild, bytes]:
        """Send a document and wait for the answer and its payload.

        A call that does not come to its end leaves a child that must be killed: an answer is still
        on its way.

        Raises:
            ChildGone: no answer will come.
        """
        self.calls += 1
        requests = self._process.stdin
        assert requests is not None  # noqa: S101  it was started with a pipe
        requests.write(frames.head(request, len(data)))
        requests.write(data)
        try:
            await requests.drain()
        except ConnectionError as error:
            raise ChildGone from error
        return await self._receive()

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
        # Not Process.kill: that reaps a child that has just died, and asyncio then misses it.
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and wait until nothing of it is left."""
        self.kill()
        await self._process.wait()
