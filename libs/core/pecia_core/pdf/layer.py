"""The text layer of a page: what a born-digital PDF says about itself, and whether it may be believed."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from pecia_core.document import Block, Line, Page, Word
from pecia_core.geometry import Polygon
from pecia_core.vocabulary import BlockKind


class Verdict(StrEnum):
    """Whether the layer may stand for the page, or why not."""

    TRUSTED = "trusted"
    TOO_LITTLE = "too_little"
    TOO_MUCH = "too_much"
    DAMAGED = "damaged"
    SCANNED = "scanned"
    HIDDEN = "hidden"
    OVERLAID = "overlaid"
    UNTRUE = "untrue"
    FOREIGN = "foreign"
    TURNED = "turned"
    INCOMPLETE = "incomplete"


REASONS: dict[Verdict, str] = {
    Verdict.TRUSTED: "The text can be seen on the page as the layer has it, and there is no other.",
    Verdict.TOO_LITTLE: "There are hardly any characters.",
    Verdict.TOO_MUCH: "There are more objects or characters than a page has.",
    Verdict.DAMAGED: "Too many characters have no meaning outside their font.",
    Verdict.SCANNED: "A picture lies behind the text or covers the page: the text is somebody's OCR.",
    Verdict.HIDDEN: "Some of the text cannot be seen on the page.",
    Verdict.OVERLAID: "Words lie on top of each other.",
    Verdict.UNTRUE: "Characters look like others than they say they are.",
    Verdict.FOREIGN: "Too much is in a script of which the looks cannot be checked.",
    Verdict.TURNED: "The lines do not run from left to right.",
    Verdict.INCOMPLETE: "The page shows what may be writing, and the layer does not have it.",
}

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


class PlacedWord(msgspec.Struct, frozen=True, array_like=True):
    """A word as the child found it."""

    text: str
    corners: Corners


class PlacedLine(msgspec.Struct, frozen=True, array_like=True):
    """A line as the child found it; `row` counts the page's visual rows."""

    text: str
    corners: Corners
    row: int
    words: list[PlacedWord]


class Layer(msgspec.Struct, frozen=True):
    """What a child says about a page: blocks of lines in reading order, none where it is not trusted."""

    width: int
    height: int
    dpi: float
    verdict: Verdict
    characters: int
    blocks: list[list[PlacedLine]]


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The text of a page without OCR.

    Attributes:
        verdict: whether it may stand for the page.
        characters: in the layer, spaces left out; also where it is not trusted.
        page: its lines and words in reading order, in pixels of the page as drawn; None unless trusted,
            so that text nobody can see has no way out.
        dpi: dots per inch of those pixels: as asked for, or less where the pixels are capped.
    """

    verdict: Verdict
    characters: int
    page: Page | None
    dpi: float

    @property
    def trusted(self) -> bool:
        """Whether it may stand for the page."""
        return self.page is not None

    @property
    def reason(self) -> str:
        """A sentence for people."""
        return REASONS[self.verdict]

    @property
    def text(self) -> str:
        """The lines in reading order, paragraphs apart; empty unless trusted."""
        blocks = self.page.blocks if self.page else ()
        return "\n\n".join("\n".join(_rows(block)) for block in blocks)


def _rows(block: Block) -> list[str]:
    rows: dict[int, list[str]] = {}
    for line in block.lines:
        rows.setdefault(line.row, []).append(line.text)
    return [" ".join(row) for row in rows.values()]


_decoder = msgspec.msgpack.Decoder(Layer)


def received(payload: bytes, page_index: int) -> TextLayer:
    """What a child said, checked.

    Raises:
        ValueError: nothing an honest child says.
        msgspec.MsgspecError: not even a layer.
    """
    layer = _decoder.decode(payload)
    blocks = tuple(_block(lines, order) for order, lines in enumerate(layer.blocks))
    page = Page(layer.width, layer.height, blocks, page_index)
    trusted = layer.verdict is Verdict.TRUSTED
    return TextLayer(layer.verdict, layer.characters, page if trusted else None, layer.dpi)


def _block(placed: list[PlacedLine], order: int) -> Block:
    lines = tuple(
        Line(
            line.text,
            Polygon.of(line.corners),
            words=tuple(Word(word.text, Polygon.of(word.corners)) for word in line.words),
            row=line.row,
        )
        for line in placed
    )
    box = lines[0].polygon.bbox
    for line in lines[1:]:
        box = box.union(line.polygon.bbox)
    return Block(BlockKind.PARAGRAPH, Polygon.from_bbox(box), lines, order)
