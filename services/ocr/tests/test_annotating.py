"""A picture of the page with what was found on it."""

from io import BytesIO

import numpy as np
import pytest
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind
from pecia_ocr.annotating import MAX_SIDE, annotated
from PIL import Image

BLUE, ORANGE, GREEN = (0x1F, 0x6F, 0xEB), (0xD9, 0x48, 0x0F), (0x2B, 0x8A, 0x3E)


def _box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return Polygon.from_bbox(BBox(x0, y0, x1, y1))


def _drawn(page: Page, width: int, height: int) -> Image.Image:
    white = np.full((height, width, 3), 255, np.uint8)
    with Image.open(BytesIO(annotated(white, page))) as picture:
        assert picture.format == "PNG"
        return picture.convert("RGB")


def _colours(picture: Image.Image) -> set[tuple[int, ...]]:
    counted = picture.getcolors(picture.width * picture.height) or []
    return {colour for _, colour in counted if isinstance(colour, tuple)}


def test_lines_are_drawn_where_they_are() -> None:
    """A sure line is blue, a doubtful one orange, and the rest of the page stays as it is."""
    sure = Line("a", _box(10, 10, 90, 30), 0.99)
    doubtful = Line("b", _box(10, 50, 90, 70), 0.5)
    page = Page(100, 80, (Block(BlockKind.PARAGRAPH, _box(10, 10, 90, 70), (sure, doubtful)),))
    picture = _drawn(page, 100, 80)
    assert picture.size == (100, 80)
    assert [picture.getpixel(place) for place in ((50, 10), (50, 50), (50, 40))] == [
        BLUE,
        ORANGE,
        (255, 255, 255),
    ]


def test_places_fit_a_reduced_picture() -> None:
    """Engines see a reduction of a large page: polygons are of the page, the picture is of the reduction."""
    line = Line("a", _box(1000, 1000, 9000, 3000))
    page = Page(10_000, 8_000, (Block(BlockKind.PARAGRAPH, line.polygon, (line,)),))
    assert _drawn(page, 100, 80).getpixel((50, 10)) == BLUE


def test_a_large_page_becomes_a_small_picture() -> None:
    """No side has more than 2,000 pixels, however the page is shaped."""
    assert _drawn(Page(9000, 300), 9000, 300).size == (MAX_SIDE, 67)


@pytest.mark.parametrize("label", ["", "Tabelle \N{SNOWMAN} 1", "x" * 10_000, "\n\n\x00"])
def test_blocks_are_named(label: str) -> None:
    """A table or figure is green and carries its name, whatever a model called it."""
    table = Block(BlockKind.TABLE, _box(20, 30, 90, 70), label=label)
    picture = _drawn(Page(100, 80, (table,)), 100, 80)
    assert picture.getpixel((50, 30)) == GREEN
    assert len(_colours(picture.crop((20, 10, 100, 29)))) > 1, "its name stands above it"


def test_places_off_the_page_do_no_harm() -> None:
    """A model may say anything: what lies outside is not drawn, and nothing breaks."""
    far = Block(BlockKind.FIGURE, _box(-1e5, -1e5, 1e5, 1e5))
    assert _drawn(Page(100, 80, (far,)), 100, 80).size == (100, 80)
