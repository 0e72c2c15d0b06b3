"""The bounded pool of child processes that draw PDF pages."""

import asyncio
from dataclasses import dataclass
from typing import Self

from pecia_core.errors import InvalidDocument, InvalidRequest, PeciaError, Unavailable
from pecia_core.pdf.frames import Count, Counted, Drawn, FromChild, Refusal, Refused, Render, ToChild
from pecia_core.pdf.process import Child, ChildGone, RenderLimits

# A child may die for reasons of its machine; a document that breaks two is at fault itself.
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page as JPEG (quality 92, colours in full resolution).

    Attributes:
        jpeg: the picture; left out of the repr.
        width: pixels.
        height: pixels.
        dpi: dots per inch it was drawn at: as asked for, or less where the pixels were capped.
    """

    jpeg: bytes
    width: int
    height: int
    dpi: float

    def __repr__(self) -> str:
        return f"RenderedPage({self.width} x {self.height}, {len(self.jpeg)} bytes)"


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

    async def page_count(self, data: bytes, password: str | None = None) -> int:
        """Pages of a PDF.

        Raises:
            InvalidDocument: `invalid_pdf` or `pdf_encrypted`.
            EngineFailed, Unavailable: no child can be had.
        """
        said, _ = await self._ask(Count(password), data)
        if not isinstance(said, Counted):
            raise _error(said, password)
        return said.pages

    async def render(
        self, data: bytes, page_index: int, dpi: float, password: str | None = None
    ) -> RenderedPage:
        """Draw one page. Cancelling the call stops the drawing at once.

        Args:
            data: the PDF.
            page_index: from 0.
            dpi: dots per inch; fewer are drawn where the page would have more pixels than allowed.
            password: opens an encrypted PDF.

        Raises:
            InvalidRequest: there is no such page.
            InvalidDocument: `invalid_pdf` or `pdf_encrypted`.
            EngineFailed, Unavailable: no child can be had.
        """
        if page_index < 0 or not dpi > 0:
            raise ValueError(f"page_index is 0 or more and dpi above 0, not {page_index} and {dpi}")
        said, jpeg = await self._ask(Render(page_index, dpi, self._limits.max_pixels, password), data)
        if not isinstance(said, Drawn):
            raise _error(said, password)
        return RenderedPage(jpeg, said.width, said.height, said.dpi)

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

    async def _ask(self, request: ToChild, data: bytes) -> tuple[FromChild, bytes]:
        async with self._places:
            for _ in range(_ATTEMPTS):
                child = await self._child()
                try:
                    async with asyncio.timeout(self._limits.page_timeout_s):
                        answer = await child.ask(request, data)
                except TimeoutError:
                    self._retire(child)
                    raise _too_slow(self._limits.page_timeout_s) from None
                except ChildGone:
                    self._retire(child)
                except BaseException:
                    self._retire(child)
                    raise
                else:
                    self._keep(child)
                    return answer
            self._refuse_when_closed()
            raise InvalidDocument(
                "This PDF cannot be drawn: it breaks the program that reads it, or needs more memory "
                "than a page may. Print it to a new PDF, or send its pages as pictures.",
                code="invalid_pdf",
            )

    async def _child(self) -> Child:
        self._refuse_when_closed()
        while self._idle:
            child = self._idle.pop()
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
        else:
            self._idle.append(child)

    def _retire(self, child: Child) -> None:
        """Kill a child now; somebody has to wait for its end, but not the caller."""
        if child in self._children:
            child.kill()
            self._children.remove(child)
            task = asyncio.get_running_loop().create_task(child.end())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


def _too_slow(seconds: float) -> PeciaError:
    return InvalidDocument(
        f"A page of this PDF takes longer than {seconds:g} s to draw. Print it to a new PDF, or send its "
        "pages as pictures.",
        code="invalid_pdf",
    )


def _error(said: FromChild, password: str | None) -> PeciaError:
    """What a child refuses, in words for people."""
    match said:
        case Refused(Refusal.ENCRYPTED) if password is None:
            message = "This PDF is encrypted. Save a copy without a password and send that one."
            return InvalidDocument(message, code="pdf_encrypted")
        case Refused(Refusal.ENCRYPTED):
            return InvalidDocument("The password does not open this PDF.", code="pdf_encrypted")
        case Refused(Refusal.NO_SUCH_PAGE):
            return InvalidRequest("The PDF has no such page. Ask for a page it has.")
        case Refused(Refusal.OUT_OF_MEMORY):
            message = "A page of this PDF needs more memory than a page may. Send its pages as pictures."
            return InvalidDocument(message, code="invalid_pdf")
        case _:
            message = "This is no PDF that can be read: it is damaged or cut off. Export it again."
            return InvalidDocument(message, code="invalid_pdf")
