"""The service's end of one worker process: start it, load it, send it pages, cancel, end it."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from itertools import count

import msgspec
from pecia_core.errors import EngineFailed, PeciaError, from_code
from pecia_wall import buried

from pecia_ocr.decoding import DecodeLimits
from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling import frames
from pecia_ocr.scheduling.inbox import Inbox, WorkerGone
from pecia_ocr.scheduling.page import PageInput

log = logging.getLogger(__name__)

_CLOSE_GRACE_S = 2.0
# Of a picture; what the socket does not take at once is copied, each time it takes some more of it.
_AT_ONCE_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What a worker becomes, how long it may take over things (seconds), and how large it may grow.

    `max_resident_bytes` None = without bound. `reload_patience_s`: how long pages are let in while no worker
    is loaded, after one has ended. `demo`: it answers to its own name only.
    """

    name: str
    config: dict[str, object]
    environment: dict[str, str]
    load_timeout_s: float = 900.0
    cancel_grace_s: float = 1.0
    log_level: str = "INFO"
    pages_at_once: int = 1
    decoding: DecodeLimits = DecodeLimits()  # noqa: RUF009  frozen
    max_resident_bytes: int | None = None
    reload_patience_s: float = 10.0
    demo: bool = False


class WorkerProcess:
    """One worker process and its socket. Its owner sees to it that it gets no more pages than it takes."""

    def __init__(self, spec: EngineSpec) -> None:
        """Not started yet."""
        self._spec = spec
        self._calls = count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._sending = asyncio.Lock()
        self._inboxes: dict[int, Inbox] = {}
        self._listener: asyncio.Task[None] | None = None
        self._was_killed = False
        self._spent = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.resident_bytes = 0

    @property
    def pid(self) -> int | None:
        """Of the process, once started."""
        return self._process.pid if self._process else None

    @property
    def pages(self) -> int:
        """Pages it reads now."""
        return len(self._inboxes)

    async def start(self, progress: Callable[[float], None]) -> EngineInfo:
        """Start the process and load its engine.

        Raises:
            WorkerGone: the process ended while loading.
            PeciaError: the engine cannot work on this machine.
        """
        spec = self._spec
        await self._spawn()
        load = frames.Load(
            spec.name, spec.config, spec.log_level, spec.pages_at_once, spec.decoding, spec.environment
        )
        await self._send(load)
        try:
            async with asyncio.timeout(spec.load_timeout_s):
                info = await self._loaded(progress)
        except TimeoutError:
            await self.kill()
            raise WorkerGone(f"The {spec.name} engine did not load in time.") from None
        self._listener = asyncio.create_task(self._listen())
        return info

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = ["-m", "pecia_ocr.scheduling.worker", str(theirs.fileno()), str(os.getpid())]
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                pass_fds=(theirs.fileno(),),
                env=self._spec.environment,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        self._reader, self._writer = await asyncio.open_connection(sock=ours)  # noqa: TID251 - one end of a pair

    async def _loaded(self, progress: Callable[[float], None]) -> EngineInfo:
        while True:
            match await self._receive():
                case frames.Loading(progress=share):
                    progress(share)
                case frames.Ready(info=info):
                    return info
                case frames.Failed(code=code, message=message):
                    raise from_code(code, message)
                case other:
                    raise WorkerGone(f"The worker said {type(other).__name__} while loading.")

    async def read(self, page: PageInput) -> AsyncGenerator[frames.FromWorker, None]:
        """Send a page and give what the worker says of it, ending with Done; of several, with AllDone.

        Leaving early cancels the page; its place is free again when this generator is closed.

        Raises:
            WorkerGone: the process ended, or had to be ended.
            PeciaError: the page cannot be read.
        """
        call_id, inbox = next(self._calls), Inbox()
        self._inboxes[call_id] = inbox
        self._idle.clear()
        begun = False
        try:
            async with self._sending:
                begun = True
                await self._write(*page.frame(call_id))
            async for frame in inbox.frames():
                yield frame
        finally:
            if begun and not inbox.ended:
                await to_the_end(self._let_go(call_id, inbox))
            self._forget(call_id)

    async def _let_go(self, call_id: int, inbox: Inbox) -> None:
        """Cancel the page and wait until its place is free; end a worker that does not listen."""
        try:
            async with asyncio.timeout(self._spec.cancel_grace_s):
                await self._send(frames.Cancel(call_id))
                async for _ in inbox.frames():
                    pass
        except TimeoutError:
            log.warning("A worker did not stop in time and is replaced", extra={"worker_pid": self.pid})
            self._forget(call_id)
            self._was_killed = True
            await self.kill()
        except PeciaError:
            pass  # it failed, or its worker is gone: its place is free either way

    def _forget(self, call_id: int) -> None:
        self._inboxes.pop(call_id, None)
        if not self._inboxes:
            self._idle.set()

    async def _listen(self) -> None:
        """Bring each frame to the page it speaks of, until the worker ends."""
        try:
            while True:
                frame = await self._receive()
                if isinstance(frame, frames.Weighed):
                    self._weigh(frame.resident_bytes)
                elif isinstance(frame, frames.Loading | frames.Ready) or frame.call_id is None:
                    continue
                elif inbox := self._inboxes.get(frame.call_id):
                    inbox.put(frame)
        except PeciaError as error:
            # With one page, it is what the process ended from, unless it was ended for another one's sake.
            beside = len(self._inboxes) - (0 if self._was_killed else 1)
            for inbox in self._inboxes.values():
                inbox.put(WorkerGone(error.message, beside) if beside else error)
            self._spent.set()

    def _weigh(self, resident_bytes: int) -> None:
        self.resident_bytes = resident_bytes
        most = self._spec.max_resident_bytes
        if most is not None and resident_bytes > most:
            self._spent.set()

    async def _send(self, message: frames.ToWorker) -> None:
        async with self._sending:
            await self._write(message)

    async def _write(self, message: frames.ToWorker, payload: bytes = b"") -> None:
        """For whom it is the turn to send. A frame that has begun is sent whole, even by one who leaves."""
        writer = self._writer
        if writer is None:
            raise _gone()
        writer.write(frames.encode(message, len(payload)))
        rest = memoryview(payload)
        try:
            while rest:
                piece, rest = rest[:_AT_ONCE_BYTES], rest[_AT_ONCE_BYTES:]
                writer.write(piece)
                await writer.drain()
            await writer.drain()
        except OSError as error:
            raise _gone() from error
        finally:
            if rest:
                writer.write(rest)

    async def _receive(self) -> frames.FromWorker:
        reader = self._reader
        if reader is None:
            raise _gone()
        try:
            header, _ = frames.lengths(await reader.readexactly(frames.HEAD_BYTES))
            return frames.from_worker_decoder.decode(await reader.readexactly(header))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise _gone() from error
        except (ValueError, msgspec.ValidationError) as error:
            await self.kill()
            raise EngineFailed("The engine gave an answer that makes no sense.") from error

    @property
    def alive(self) -> bool:
        """Whether the process can be given a page."""
        return (
            self._process is not None
            and self._process.returncode is None
            and self._reader is not None
            and not self._reader.at_eof()
        )

    async def spent(self) -> None:
        """Return when the process has ended, for whatever reason, or has grown beyond its bound."""
        await self._spent.wait()

    async def idle(self) -> None:
        """Return when it reads no page."""
        await self._idle.wait()

    async def close(self) -> None:
        """Let the process end: it does when its socket closes."""
        if self._process is None:
            return
        if self._writer is not None:
            self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_GRACE_S):
                await self._process.wait()
            await self._bury()
        except TimeoutError:
            await self.kill()
        if self._listener is not None:
            await self._listener

    async def kill(self) -> None:
        """End the process now."""
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            await self._bury()

    async def _bury(self) -> None:
        """Whom it has started ends with it, and may have become ours."""
        if self._process is not None:
            for pause in buried(self._process.pid):
                await asyncio.sleep(pause)


def _gone() -> WorkerGone:
    return WorkerGone("The process that read this page ended; please send the page again.")


async def to_the_end(work: Coroutine[None, None, None]) -> None:
    """Finish `work` even if the caller is cancelled again: nobody else would."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
