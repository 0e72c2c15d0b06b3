"""The page as a picture, with what was found drawn on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from pecia_core.document import Block, Page
from pecia_core.geometry import Polygon
from pecia_core.vocabulary import BlockKind
from PIL import Image, ImageDraw, ImageFont

from pecia_ocr.engines.base import Pixels

# Enough to look at; a scan of a hundred million pixels would not fit into an answer.
MAX_SIDE = 2000
# A line below it is one to look at.
_DOUBTFUL = 0.8
_SURE_LINE, _DOUBTFUL_LINE, _BLOCK = "#1f6feb", "#d9480f", "#2b8a3e"


@dataclass(frozen=True, slots=True)
class _Mark:
    polygon: Polygon
    colour: str
    label: str = ""


def annotated(pixels: Pixels, page: Page) -> bytes:
    """A PNG of the page, at most `MAX_SIDE` pixels a side.

    Lines are blue, or orange where their confidence is below 0.8; blocks that are more than a paragraph
    are green and named.

    Args:
        pixels: height x width x 3, as the engine saw them.
        page: its polygons are in pixels of `page.width` x `page.height`.
    """
    picture = Image.fromarray(pixels)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    draw = ImageDraw.Draw(picture)
    x, y = picture.width / max(page.width, 1), picture.height / max(page.height, 1)
    thickness = max(1, max(picture.size) // 700)
    font = ImageFont.load_default(size=8 * thickness + 4)
    for mark in _marks(page):
        points = [(point.x, point.y) for point in mark.polygon.scaled(x, y).points]
        draw.polygon(points, outline=mark.colour, width=thickness)
        if mark.label:
            draw.text(points[0], mark.label, fill=mark.colour, font=font, anchor="lb")
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _marks(page: Page) -> Iterator[_Mark]:
    for block in page.blocks:
        yield from _lines(block)
        if block.kind is not BlockKind.PARAGRAPH or not block.lines:
            yield _Mark(block.polygon, _BLOCK, _name(block))


def _lines(block: Block) -> Iterator[_Mark]:
    for line in block.lines:
        doubtful = line.confidence is not None and line.confidence < _DOUBTFUL
        yield _Mark(line.polygon, _DOUBTFUL_LINE if doubtful else _SURE_LINE)


def _name(block: Block) -> str:
    # Models invent labels, and the font knows Latin.
    label = "".join(character for character in block.label if " " <= character <= "~")
    return (label or block.kind.value)[:40]
