"""Empty margins: what is cut off before text is looked for, and that no text is."""

import numpy as np
import pytest
from pecia_core.testing import sample_page
from pecia_ocr.decoding import decode
from pecia_ocr.engines.base import Pixels
from pecia_ocr.engines.rapid.margins import Content, content
from PIL import Image, ImageDraw, ImageFont


def paper(width: int, height: int, shade: int = 250) -> Pixels:
    """An empty page."""
    return np.full((height, width, 3), shade, np.uint8)


def test_an_empty_page_is_kept_whole() -> None:
    """There is nothing to tell margin from content."""
    assert content(paper(300, 500)) == Content(0, 0, 300, 500)


def test_margins_are_left_out_but_for_a_little() -> None:
    """Half of this page is empty."""
    page = paper(1000, 2000)
    page[900:1100, 200:800] = 30
    found = content(page)
    assert 140 <= found.left <= 200
    assert 800 <= found.right <= 860
    assert 840 <= found.top <= 900
    assert 1100 <= found.bottom <= 1160


@pytest.mark.parametrize("place", [(5, 5), (1650, 5), (5, 2300), (1650, 2300)])
def test_a_faint_page_number_in_a_corner_is_no_margin(place: tuple[int, int]) -> None:
    """One small light-grey digit, at a corner of a large page."""
    picture = Image.fromarray(paper(1700, 2340))
    ImageDraw.Draw(picture).text(place, "7", (205, 205, 205), ImageFont.load_default(22))
    ImageDraw.Draw(picture).text((700, 1100), "TOTAL 77.145", (0, 0, 0), ImageFont.load_default(40))
    found = content(np.asarray(picture))
    x, y = place
    assert found.left <= x <= found.right
    assert found.top <= y <= found.bottom


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_corner_turns_with_the_page(rotation: int) -> None:
    """A dark box stands where the corner says after the page is turned clockwise."""
    page = paper(400, 600)
    page[100:200, 50:350] = 0
    box = Content(50, 100, 350, 200)
    turned = np.rot90(page, -rotation // 90)
    x, y = box.corner(rotation, 400, 600)
    assert turned[y, x].max() == 0
    assert x == 0 or turned[y, x - 1].min() > 0
    assert y == 0 or turned[y - 1, x].min() > 0


def test_a_page_in_a_wide_margin_is_read_at_its_place() -> None:
    """The sample page, on a much larger sheet."""
    small = decode(sample_page()[0])
    sheet = paper(small.shape[1] * 2, small.shape[0] * 2, 255)
    sheet[300 : 300 + small.shape[0], 100 : 100 + small.shape[1]] = small
    found = content(sheet)
    assert found.right - found.left <= small.shape[1] * 1.1
    assert found.bottom - found.top <= small.shape[0] * 1.1
