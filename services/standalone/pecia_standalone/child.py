"""One service as a child process: started on a leash, its output caught, stopped with patience."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, STDOUT, Process

from pecia_standalone.leash import command
from pecia_standalone.logs import LogFile
from pecia_standalone.services import Service
from pecia_standalone.settings import inherited_environment

_CHUNK = 64 * 1024
_LAST_WORDS_S = 2.0


class Child:
    """A service and the process that is it now."""

    def __init__(self, service: Service, log: LogFile) -> None:
        """Nothing runs yet."""
        self.service = service
        self.log = log
        self._process: Process | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs now or ran last."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process, in a session of its own: Ctrl-C at the terminal reaches the supervisor only."""
        # A pipe of our own: asyncio's would make the wait for the process a wait for all its heirs.
        reading, writing = os.pipe()
        self._pump = asyncio.create_task(self._catch(reading))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command(self.service.module),
                env=inherited_environment() | dict(self.service.environment),
                stdin=DEVNULL,
                stdout=writing,
                stderr=STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(writing)

    async def wait(self) -> int:
        """Until the process has ended and its last words are in the log; gives its exit status."""
        if self._process is None or self._pump is None:
            return 0
        status = await self._process.wait()
        # What it has left in its session would hold ports, memory, and the pipe.
        self._signal_session(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._pump, _LAST_WORDS_S)
        return status

    async def stop(self, timeout_s: float) -> bool:
        """Ask it to finish, wait, then kill; True = it ended by itself."""
        if self._process is None:
            return True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self._process.wait()), timeout_s)
        except TimeoutError:
            self.kill()
            await self.wait()
            return False
        await self.wait()
        return True

    def kill(self) -> None:
        """End the process and all it started, at once."""
        self._signal_session(signal.SIGKILL)

    def _signal_session(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _catch(self, reading: int) -> None:
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
        )
        with contextlib.closing(pipe):
            while data := await reader.read(_CHUNK):
                self.log.write(data)
