"""The service's end of one worker process: start it, load it, send it a page, cancel, end it."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from itertools import count

import msgspec
from pecia_core.errors import EngineFailed, PeciaError, Unavailable, from_code
from pecia_core.recognition import RecognizeOptions

from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling import frames

log = logging.getLogger(__name__)

_CLOSE_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What a worker becomes, and how long it may take over things (seconds)."""

    name: str
    config: dict[str, object]
    environment: dict[str, str]
    load_timeout_s: float = 900.0
    cancel_grace_s: float = 1.0
    log_level: str = "INFO"


@dataclass(frozen=True, slots=True)
class PageInput:
    """A page on its way to a worker: encoded bytes, or raw pixels where `raw` says how they lie."""

    data: bytes
    options: RecognizeOptions
    request_id: str = ""
    raw: frames.RawShape | None = None


class WorkerGone(Unavailable):
    """The process ended; another one takes its place."""


class WorkerProcess:
    """One worker process and its socket. Reads one page at a time; its owner sees to that."""

    def __init__(self, spec: EngineSpec) -> None:
        """Not started yet."""
        self._spec = spec
        self._calls = count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._current: int | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, once started."""
        return self._process.pid if self._process else None

    async def start(self, progress: Callable[[float], None]) -> EngineInfo:
        """Start the process and load its engine.

        Raises:
            WorkerGone: the process ended while loading.
            PeciaError: the engine cannot work on this machine.
        """
        await self._spawn()
        await self._send(frames.Load(self._spec.name, self._spec.config, self._spec.log_level))
        try:
            async with asyncio.timeout(self._spec.load_timeout_s):
                return await self._loaded(progress)
        except TimeoutError:
            await self.kill()
            raise WorkerGone(f"The {self._spec.name} engine did not load in time.") from None

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
            )
        self._reader, self._writer = await asyncio.open_connection(sock=ours)

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
        """Send a page and give what the worker says of it, ending with Done.

        Leaving early cancels the page; the process is free again when this generator is closed.

        Raises:
            WorkerGone: the process ended, or had to be ended.
            PeciaError: the page cannot be read.
        """
        call_id = self._current = next(self._calls)
        try:
            await self._send(frames.Read(call_id, page.options, page.request_id, page.raw), page.data)
            while True:
                message = await self._receive()
                if isinstance(message, frames.Failed):
                    self._current = None
                    raise from_code(message.code, message.message, param=message.param)
                if isinstance(message, frames.Done):
                    self._current = None
                yield message
                if self._current is None:
                    return
        finally:
            if self._current is not None:
                await _to_the_end(self._let_go(call_id))

    async def _let_go(self, call_id: int) -> None:
        """Cancel the page and wait until the worker is free; replace a worker that does not listen."""
        self._current = None
        if not self.alive:
            return
        try:
            async with asyncio.timeout(self._spec.cancel_grace_s):
                await self._send(frames.Cancel(call_id))
                while not isinstance(await self._receive(), frames.Stopped | frames.Done | frames.Failed):
                    pass
        except (TimeoutError, PeciaError):
            log.warning("A worker did not stop in time and is replaced", extra={"worker_pid": self.pid})
            await self.kill()

    async def _send(self, message: frames.ToWorker, payload: bytes = b"") -> None:
        writer = self._writer
        if writer is None:
            raise self._gone()
        try:
            writer.write(frames.encode(message, len(payload)))
            if payload:
                writer.write(payload)
            await writer.drain()
        except OSError as error:
            raise self._gone() from error

    async def _receive(self) -> frames.FromWorker:
        reader = self._reader
        if reader is None:
            raise self._gone()
        try:
            header, _ = frames.lengths(await reader.readexactly(frames.HEAD_BYTES))
            return frames.from_worker_decoder.decode(await reader.readexactly(header))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise self._gone() from error
        except (ValueError, msgspec.ValidationError) as error:
            await self.kill()
            raise EngineFailed("The engine gave an answer that makes no sense.") from error

    def _gone(self) -> WorkerGone:
        return WorkerGone("The process that read this page ended; please send the page again.")

    @property
    def alive(self) -> bool:
        """Whether the process can be given a page."""
        return (
            self._process is not None
            and self._process.returncode is None
            and self._reader is not None
            and not self._reader.at_eof()
        )

    async def ended(self) -> None:
        """Return when the process has ended, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    async def close(self) -> None:
        """Let the process end: it does when its socket closes."""
        if self._process is None:
            return
        if self._writer is not None:
            self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the process now."""
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Finish `work` even if the caller is cancelled again: a worker half let go would mix up two pages."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
