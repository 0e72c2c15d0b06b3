"""Figures cut out of a page: what Markdown names, wherever a model says it stands."""

from io import BytesIO

import numpy as np
import pytest
from pecia_core.document import Block, Page
from pecia_core.geometry import BBox, Point, Polygon
from pecia_core.recognition import Figure
from pecia_core.vocabulary import BlockKind
from pecia_ocr import figures
from pecia_ocr.engines.base import Pixels
from pecia_ocr.figures import MAX_BYTES, MAX_SIDE, MOST, count, cut_out
from PIL import Image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def _sheet(width: int = 200, height: int = 100) -> Pixels:
    """White paper with a red figure on it: 40 wide, 20 high, at 100, 30."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[30:50, 100:140] = RED
    return pixels


def _figure(number: int, *box: float) -> Block:
    return Block(
        BlockKind.FIGURE, Polygon.from_bbox(BBox(*box)), (), number, content=f"![](figure-{number})\nFig."
    )


def _page(*blocks: Block, rotation: int = 0) -> Page:
    return Page(200, 100, blocks, rotation=rotation)


def _opened(figure: Figure) -> Image.Image:
    with Image.open(BytesIO(figure.jpeg), formats=["JPEG"]) as picture:
        assert picture.size == (figure.width, figure.height)
        return picture.convert("RGB")


def _is_red(picture: Image.Image) -> bool:
    return bool((np.abs(np.asarray(picture, np.int16) - np.array(RED)).max(axis=2) < 40).all())


def test_a_figure_is_what_stands_in_its_box() -> None:
    """Nothing of the paper around it, under the name that the text has; other blocks are no figures."""
    text = Block(BlockKind.PARAGRAPH, Polygon.from_bbox(BBox(0, 0, 50, 50)), (), 0, content="![](figure-9)")
    (figure,) = cut_out(_sheet(), _page(text, _figure(1, 100, 30, 140, 50)))
    assert (figure.name, figure.block, figure.width, figure.height) == ("figure-1", 1, 40, 20)
    assert _is_red(_opened(figure))


@pytest.mark.parametrize(("rotation", "size"), [(90, (20, 40)), (180, (40, 20)), (270, (20, 40))])
def test_it_stands_upright(rotation: int, size: tuple[int, int]) -> None:
    """Of a page that had to be turned to be read, figures are turned with it: their top edge is on top."""
    pixels = _sheet()
    top_edge = {90: np.s_[30:50, 100:104], 180: np.s_[46:50, 100:140], 270: np.s_[30:50, 136:140]}
    pixels[top_edge[rotation]] = 0
    (figure,) = cut_out(pixels, _page(_figure(1, 100, 30, 140, 50), rotation=rotation))
    picture = _opened(figure)
    assert picture.size == size
    column = np.asarray(picture)[:, size[0] // 2, 0]
    assert column[1] < 80, "its top edge is black"
    assert column[-4] > 200, "the rest is red"


def test_places_fit_a_reduced_picture() -> None:
    """Engines see a reduction of a large page: boxes are of the page, the crop is of the reduction."""
    block = _figure(1, 1000, 300, 1400, 500)
    (figure,) = cut_out(_sheet(), Page(2000, 1000, (block,)))
    assert (figure.width, figure.height) == (40, 20)
    assert _is_red(_opened(figure))


@pytest.mark.parametrize(
    "box",
    [
        (500, 500, 900, 900),  # off the page
        (-50, -50, 0, 0),
        (100, 30, 100, 50),  # no width
        (100, 30, 102, 32),  # specks
    ],
)
def test_a_box_without_pixels_is_no_figure(box: tuple[float, ...]) -> None:
    """It is left out, but counted, so that a reader learns that it is missing."""
    page = _page(_figure(1, *box), _figure(2, 100, 30, 140, 50))
    assert [figure.name for figure in cut_out(_sheet(), page)] == ["figure-2"]
    assert count(page) == 2


def test_a_box_beyond_the_page_ends_at_its_edge() -> None:
    """Whatever numbers a model writes, a crop has no pixel that the page has not."""
    (figure,) = cut_out(_sheet(), _page(_figure(1, -1e6, -1e6, 1e6, 1e6)))
    assert (figure.width, figure.height) == (200, 100)
    slanted = Polygon((Point(90, 40), Point(120, 20), Point(150, 40), Point(120, 60)))
    block = Block(BlockKind.FIGURE, slanted, content="![](figure-1)")
    assert [(one.width, one.height) for one in cut_out(_sheet(), _page(block))] == [(60, 40)]


def test_a_hostile_number_of_figures_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand boxes of the whole of a large page: so many, so large, so many bytes, and soon done."""
    noise = np.random.default_rng(7).integers(0, 256, (3500, 2500, 3), np.uint8)
    page = Page(2500, 3500, tuple(_figure(number, 0, 0, 2500, 3500) for number in range(1, 1001)))
    cut = cut_out(noise, page)
    assert 1 <= len(cut) <= MOST
    assert sum(len(figure.jpeg) for figure in cut) <= MAX_BYTES
    assert all(max(figure.width, figure.height) <= MAX_SIDE for figure in cut)
    monkeypatch.setattr(figures, "MAX_BYTES", 1 << 40)
    small = Page(200, 100, tuple(_figure(number, 100, 30, 140, 50) for number in range(1, 100)))
    assert len(cut_out(_sheet(), small)) == MOST
