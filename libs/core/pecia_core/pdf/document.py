"""A PDF open for many calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from pecia_core.errors import InvalidDocument
from pecia_core.pdf import layer, refusals
from pecia_core.pdf.frames import Drawn, FromChild, ReadText, Render, Request, TextRead
from pecia_core.pdf.layer import TextLayer
from pecia_core.pdf.source import Source

_Ask = Callable[[Source, Request | None], Awaitable[tuple[FromChild, bytes]]]


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


class OpenPdf:
    """What `PdfRenderer.open` gives: its pages, by index from 0.

    Cancelling a call stops its work at once. A page that hangs or breaks a child costs that call alone.
    """

    def __init__(self, ask: _Ask, source: Source, pages: int, max_pixels: int) -> None:
        """Made by the renderer."""
        self._ask = ask
        self._source = source
        self._pages = pages
        self._max_pixels = max_pixels

    @property
    def page_count(self) -> int:
        """As the document says; a hostile one can say up to a million."""
        return self._pages

    async def render(self, page_index: int, dpi: float) -> RenderedPage:
        """Draw one page.

        Args:
            page_index: from 0.
            dpi: dots per inch; fewer are drawn where the page would have more pixels than allowed.

        Raises:
            InvalidRequest: there is no such page.
            InvalidDocument: `invalid_pdf`: the page is broken, or takes too long or too much memory.
            EngineFailed, Unavailable: no child can be had.
        """
        _check(page_index, dpi)
        said, jpeg = await self._ask(self._source, Render(page_index, dpi, self._max_pixels))
        if not isinstance(said, Drawn):
            raise refusals.error(said, self._source.password)
        return RenderedPage(jpeg, said.width, said.height, said.dpi)

    async def text(self, page_index: int, dpi: float) -> TextLayer:
        """The text layer of one page, with the verdict whether it may stand for the page.

        Args:
            page_index: from 0.
            dpi: of the drawn page whose pixels lines and words are placed in.

        Raises:
            InvalidRequest, InvalidDocument, EngineFailed, Unavailable: as `render`.
        """
        _check(page_index, dpi)
        said, payload = await self._ask(self._source, ReadText(page_index, dpi, self._max_pixels))
        if not isinstance(said, TextRead):
            raise refusals.error(said, self._source.password)
        try:
            return layer.received(payload, page_index)
        except (ValueError, msgspec.MsgspecError) as error:
            message = "The text of this page makes no sense. Have the page read as a picture."
            raise InvalidDocument(message, code="invalid_pdf") from error


def _check(page_index: int, dpi: float) -> None:
    if page_index < 0 or not dpi > 0:
        raise ValueError(f"page_index is 0 or more and dpi above 0, not {page_index} and {dpi}")
