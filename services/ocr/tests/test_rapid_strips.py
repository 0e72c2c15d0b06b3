"""Quadrangles: their sides, their turns, and the strips cut out of a page along them."""

import numpy as np
import pytest
from pecia_ocr.engines.rapid.quads import Quad, sides, turned
from pecia_ocr.engines.rapid.skew import levelled
from pecia_ocr.engines.rapid.strips import STRIP_HEIGHT, strip


def quad(*points: tuple[float, float]) -> Quad:
    """Four corners."""
    return np.array(points, np.float32)


UPRIGHT = quad((10, 20), (110, 20), (110, 44), (10, 44))


def test_sides_are_lengths_along_the_quad() -> None:
    """Of a box that lies askew, not of the box around it."""
    assert sides(UPRIGHT) == (100, 24)
    assert sides(quad((0, 0), (30, 40), (22, 46), (-8, 6))) == pytest.approx((50, 10))


def marked() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A grey page with a black mark in the top-left corner of UPRIGHT."""
    page = np.full((80, 140, 3), 128, np.uint8)
    page[20:28, 10:18] = 0
    return page


@pytest.mark.parametrize(("rotation", "place"), [(0, (1, 1)), (90, (1, -2)), (180, (-2, -2)), (270, (-2, 1))])
def test_a_strip_starts_where_the_text_starts(rotation: int, place: tuple[int, int]) -> None:
    """The mark moves clockwise as the page is turned clockwise."""
    cut = strip(marked(), turned(UPRIGHT, rotation))
    assert cut.shape[0] == STRIP_HEIGHT
    assert cut[place].max() < 60
    assert cut.mean() > 110


def test_a_strip_keeps_its_true_width() -> None:
    """Scaled to the height the model wants, and no wider: padding costs time and accuracy."""
    assert strip(marked(), UPRIGHT).shape == (STRIP_HEIGHT, 200, 3)


@pytest.mark.parametrize(
    "sliver",
    [
        quad((0, 0), (0.2, 0), (0.2, 0.2), (0, 0.2)),
        quad((0, 0), (130, 0), (130, 1), (0, 1)),
        quad((0, 0), (1, 0), (1, 79), (0, 79)),
    ],
)
def test_slivers_have_bounded_strips(sliver: Quad) -> None:
    """No quad makes a strip of no width, or one that fills memory."""
    height, width, _ = strip(marked(), sliver).shape
    assert height == STRIP_HEIGHT
    assert 8 <= width <= 6400


def test_levelling_puts_a_skewed_row_straight() -> None:
    """Two boxes of one row, far apart on a page that slopes, overlap again."""
    slope = 0.1
    left = quad((0, 0), (100, 10), (98, 30), (-2, 20))
    right = left + np.array([600, 600 * slope], np.float32)
    first, second = levelled([left, right])
    assert first.vertical_overlap(second) > 0.9 * first.height
    assert second.x0 - first.x0 == pytest.approx(600, rel=0.02)


def test_levelling_leaves_a_straight_page_alone() -> None:
    """Boxes of a page without skew, or without lines, keep their places."""
    (box,) = levelled([UPRIGHT])
    assert (box.x0, box.y0, box.x1, box.y1) == (10, 20, 110, 44)
    assert levelled([]) == []
