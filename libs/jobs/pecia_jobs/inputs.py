"""The inputs of jobs being read, each fetched and opened once: 300 pages of a PDF are not 300 downloads.

Each lies in a file without a name: whatever ends this process, nothing is left behind, and a document far
larger than memory is no trouble.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from pecia_core.errors import Unavailable
from pecia_core.pdf import PdfRenderer

from pecia_jobs.blobs import Blobs
from pecia_jobs.sheets import Pages, pages_of
from pecia_jobs.store import JobSpec

Attempt = Callable[[], Awaitable[BinaryIO]]


async def at_once(attempt: Attempt) -> BinaryIO:
    """For `Inputs`: whoever asked is told when the blob store is away."""
    return await attempt()


class Inputs:
    """Fetches inputs and keeps them while they are read, and after that while there is room."""

    def __init__(
        self,
        blobs: Blobs,
        renderer: PdfRenderer,
        fetching: Callable[[Attempt], Awaitable[BinaryIO]] = at_once,
        *,
        most_bytes: int,
        folder: Path | None = None,
    ) -> None:
        """Keep nothing yet.

        Args:
            blobs: where the inputs lie.
            renderer: opens the PDFs.
            fetching: makes the attempts to fetch one; may wait for a blob store or disk that is away.
            most_bytes: kept at most; what is being read counts, but is never thrown away.
            folder: for the files; None = the system's for temporary ones.
        """
        self._blobs = blobs
        self._renderer = renderer
        self._fetching = fetching
        self._most_bytes = most_bytes
        self._folder = folder
        self._kept: dict[_Name, _Kept] = {}  # those asked for last stand last

    @asynccontextmanager
    async def open(self, spec: JobSpec) -> AsyncIterator[Pages]:
        """The pages of a job's input.

        Raises:
            NotFound: it was deleted.
            PeciaError: it cannot be opened, or fetched; and what `fetching` raises.
        """
        # Once its password is forgotten, a document that was opened with it is closed to everybody.
        name = (spec.input_key, bool(spec.password))
        kept = self._kept.pop(name, None) or self._begin(spec)
        self._kept[name] = kept
        kept.readers += 1
        try:
            # Another page may wait for the same document: this one's end must not end the opening.
            yield await asyncio.shield(kept.opening)
        finally:
            kept.readers -= 1
            kept.left_at = monotonic()
            await self._make_room()

    async def forget_idle(self, after_s: float) -> None:
        """Until cancelled, let go of what nobody has read for `after_s` seconds: its job may be gone."""
        while True:
            await asyncio.sleep(after_s / 4)
            for key, kept in list(self._kept.items()):
                if not kept.readers and monotonic() - kept.left_at > after_s:
                    del self._kept[key]
                    await asyncio.shield(kept.close())  # begun, it is ended

    async def close(self) -> None:
        """Keep nothing any more."""
        kept, self._kept = list(self._kept.values()), {}
        for one in kept:
            await one.close()

    def _begin(self, spec: JobSpec) -> "_Kept":
        """The fetching and opening, in a task of its own."""
        stack = AsyncExitStack()
        return _Kept(spec.input_bytes, stack, asyncio.create_task(self._opened(spec, stack)))

    async def _opened(self, spec: JobSpec, stack: AsyncExitStack) -> Pages:
        file = await self._fetching(lambda: self._fetched(spec.input_key))
        stack.callback(file.close)
        return await stack.enter_async_context(pages_of(file, spec, self._renderer))

    async def _fetched(self, key: str) -> BinaryIO:
        try:
            file = await asyncio.to_thread(self._new_file)
            try:
                async for piece in self._blobs.stream(key):
                    await asyncio.to_thread(file.write, piece)
            except BaseException:
                with suppress(OSError):  # what could not be written before cannot be written now
                    file.close()
                raise
        except OSError as error:
            raise Unavailable(
                "This machine's disk for temporary files cannot take the document: make room there.",
                code="store_unavailable",
            ) from error
        return file

    def _new_file(self) -> BinaryIO:
        file: BinaryIO = tempfile.TemporaryFile(dir=self._folder, prefix="pecia-", buffering=0)  # noqa: SIM115 - it stays open
        return file

    async def _make_room(self) -> None:
        """Forget what could not be opened, and those read longest ago when there are too many bytes."""
        for key, kept in list(self._kept.items()):
            full = sum(one.size for one in self._kept.values()) > self._most_bytes
            if not kept.readers and (full or not kept.opened):
                del self._kept[key]
                await kept.close()


# Of a document: its key, and whether it is opened with a password.
_Name = tuple[str, bool]


class _Kept:
    """A document and how many read it now. `size` in bytes."""

    def __init__(self, size: int, stack: AsyncExitStack, opening: asyncio.Task[Pages]) -> None:
        self.size = size
        self.readers = 0
        self.left_at = monotonic()
        self.opening = opening
        self._stack = stack

    @property
    def opened(self) -> bool:
        return self.opening.done() and not self.opening.cancelled() and self.opening.exception() is None

    async def close(self) -> None:
        self.opening.cancel()
        await asyncio.gather(self.opening, return_exceptions=True)
        await self._stack.aclose()
