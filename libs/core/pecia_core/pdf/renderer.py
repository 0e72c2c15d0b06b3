"""The bounded pool of child processes that read PDFs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Self

from pecia_core.errors import Unavailable
from pecia_core.pdf import refusals
from pecia_core.pdf.document import OpenPdf, RenderedPage
from pecia_core.pdf.frames import FromChild, Opened, Request
from pecia_core.pdf.process import Child, ChildGone, RenderLimits
from pecia_core.pdf.source import Source

# A child may die for reasons of its machine; a document that breaks two is at fault itself.
_ATTEMPTS = 2


class PdfRenderer:
    """Opens PDFs in child processes; starts them when they are needed. For one event loop."""

    def __init__(self, processes: int = 1, limits: RenderLimits = RenderLimits()) -> None:  # noqa: B008  frozen
        """Nothing runs yet.

        Args:
            processes: children at most, which is also the number of pages drawn at once.
            limits: what each child may use.
        """
        self._limits = limits
        self._processes = processes
        self._places = asyncio.Semaphore(processes)
        self._idle: list[Child] = []
        self._children: set[Child] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def open(
        self, document: bytes | Path | BinaryIO, password: str | None = None
    ) -> AsyncIterator[OpenPdf]:
        """A document for many calls: its bytes go to no child, which reads what it needs where it lies.

        Pages of several documents may be asked for in any order and at once; a child keeps the
        document it has open until it is asked about another, or this ends.

        Args:
            document: bytes are copied once. A file, by path or open, is read where it lies, and must
                not be changed meanwhile.
            password: opens an encrypted PDF.

        Raises:
            InvalidDocument: `invalid_pdf` or `pdf_encrypted`.
            EngineFailed, Unavailable: no child can be had.
            OSError: the file cannot be opened.
        """
        source = Source.of(document, password)
        try:
            said, _ = await self._ask(source, None)
            if not isinstance(said, Opened):
                raise refusals.error(said, password)
            yield OpenPdf(self._ask, source, said.pages, self._limits.max_pixels)
        finally:
            self._leave(source)

    async def page_count(self, data: bytes, password: str | None = None) -> int:
        """Pages of a PDF.

        Raises:
            InvalidDocument: `invalid_pdf` or `pdf_encrypted`.
            EngineFailed, Unavailable: no child can be had.
        """
        async with self.open(data, password) as document:
            return document.page_count

    async def render(
        self, data: bytes, page_index: int, dpi: float, password: str | None = None
    ) -> RenderedPage:
        """Draw one page; for more than one of a document, `open` it.

        Raises:
            InvalidRequest, InvalidDocument, EngineFailed, Unavailable: as `open` and `OpenPdf.render`.
        """
        async with self.open(data, password) as document:
            return await document.render(page_index, dpi)

    async def close(self) -> None:
        """End every child, busy or not; calls under way get Unavailable. No process is left."""
        self._closed = True
        for child in list(self._children):
            self._retire(child)
        # Whoever starts a child holds a place: when all are free, no more children will come.
        for _ in range(self._processes):
            await self._places.acquire()
        for _ in range(self._processes):
            self._places.release()
        while self._ending:
            await asyncio.gather(*self._ending)

    async def _ask(self, source: Source, request: Request | None) -> tuple[FromChild, bytes]:
        """Have a child open the document, if it has not, and answer; without a request, only that."""
        async with self._places:
            for _ in range(_ATTEMPTS):
                child = await self._child(source)
                try:
                    async with asyncio.timeout(self._limits.page_timeout_s):
                        answer = await _answer(child, source, request)
                except TimeoutError:
                    self._retire(child)
                    raise refusals.too_slow(self._limits.page_timeout_s) from None
                except ChildGone:
                    self._retire(child)
                except BaseException:
                    self._retire(child)
                    raise
                else:
                    self._keep(child)
                    return answer
            self._refuse_when_closed()
            raise refusals.breaks_the_reader()

    async def _child(self, source: Source) -> Child:
        self._refuse_when_closed()
        # Best one that has the document open, else one that has none, else the one idle for longest.
        for child in sorted(self._idle, key=lambda child: (child.source is not source, bool(child.source))):
            self._idle.remove(child)
            if child.alive:
                return child
            self._retire(child)
        child = await Child.start(self._limits)
        self._children.add(child)
        try:
            self._refuse_when_closed()
            await child.ready(self._limits.start_timeout_s)
        except BaseException:
            self._retire(child)
            self._refuse_when_closed()
            raise
        return child

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Unavailable("This process is shutting down. Try again in a moment.", code="draining")

    def _keep(self, child: Child) -> None:
        if self._closed or child.calls >= self._limits.max_calls:
            self._retire(child)
            return
        self._idle.append(child)
        if child.source and child.source.closed:
            self._clear(child)

    def _leave(self, source: Source) -> None:
        """No child keeps it: idle ones forget it now, busy ones when they have answered."""
        source.close()
        for child in [child for child in self._idle if child.source is source]:
            self._clear(child)

    def _clear(self, child: Child) -> None:
        try:
            child.close()
        except ChildGone:
            self._idle.remove(child)
            self._retire(child)

    def _retire(self, child: Child) -> None:
        """Kill a child now; somebody has to wait for its end, but not the caller."""
        if child in self._children:
            child.kill()
            self._children.remove(child)
            task = asyncio.get_running_loop().create_task(child.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


async def _answer(child: Child, source: Source, request: Request | None) -> tuple[FromChild, bytes]:
    if child.source is not source:
        said = await child.open(source)
        if request is None or not isinstance(said, Opened):
            return said, b""
    elif request is None:
        raise ValueError("a document is opened once")
    return await child.ask(request)
