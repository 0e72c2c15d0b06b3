"""Points, boxes and polygons, shown against pixels where that is possible."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.geometry import BBox, Point, Polygon

ROTATIONS = (0, 90, 180, 270)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_point_is_somewhere(value: float) -> None:
    """A point that is nowhere would spoil every box around it, so it cannot be made."""
    with pytest.raises(ValueError, match="finite"):
        Point(value, 0.0)
    with pytest.raises(ValueError, match="finite"):
        Point(0.0, value)


@pytest.mark.parametrize("edges", [(2, 0, 1, 1), (0, 2, 1, 1), (nan, 0, 1, 1), (0, 0, inf, 1)])
def test_a_box_has_a_right_way_round_and_an_end(edges: tuple[float, float, float, float]) -> None:
    """Boxes that are inside out or endless cannot be made."""
    with pytest.raises(ValueError, match="a box needs"):
        BBox(*edges)


def test_a_box_knows_its_size() -> None:
    """Width, height and area are in pixels."""
    box = BBox(1.0, 2.0, 4.0, 8.0)
    assert (box.width, box.height, box.area) == (3.0, 6.0, 18.0)


@given(first=st.from_type(BBox), second=st.from_type(BBox))
def test_a_union_holds_both_and_nothing_larger_is_needed(first: BBox, second: BBox) -> None:
    """The union reaches exactly as far as the outermost edge of either box."""
    both = first.union(second)
    assert both == second.union(first)
    assert both.x0 in (first.x0, second.x0)
    assert both.y1 in (first.y1, second.y1)
    for box in (first, second):
        assert both.x0 <= box.x0 <= box.x1 <= both.x1
        assert both.y0 <= box.y0 <= box.y1 <= both.y1


def test_overlap_is_shared_pixels_or_the_gap_as_a_negative_number() -> None:
    """The same number tells how much two boxes share and how far apart they are."""
    box = BBox(0, 0, 10, 10)
    assert box.vertical_overlap(BBox(50, 6, 60, 20)) == 4
    assert box.vertical_overlap(BBox(0, 13, 10, 20)) == -3
    assert box.horizontal_overlap(BBox(8, 0, 20, 1)) == 2
    assert box.horizontal_overlap(BBox(15, 0, 20, 1)) == -5


@given(first=st.from_type(BBox), second=st.from_type(BBox))
def test_overlap_does_not_depend_on_who_asks(first: BBox, second: BBox) -> None:
    """Overlap is symmetric, in both directions of the page."""
    assert first.vertical_overlap(second) == second.vertical_overlap(first)
    assert first.horizontal_overlap(second) == second.horizontal_overlap(first)


def test_a_polygon_encloses_something() -> None:
    """Two points are a stroke, not a polygon."""
    with pytest.raises(ValueError, match="at least 3 points"):
        Polygon.of([(0, 0), (1, 1)])


@given(box=st.from_type(BBox))
def test_a_box_survives_as_a_polygon(box: BBox) -> None:
    """The polygon of a box starts top-left, runs clockwise, and has that box around it."""
    polygon = Polygon.from_bbox(box)
    assert polygon.bbox == box
    assert polygon.pairs() == [[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]]


@given(polygon=st.from_type(Polygon))
def test_pairs_lead_back_to_the_polygon(polygon: Polygon) -> None:
    """What JSON carries is the whole polygon."""
    assert Polygon.of(polygon.pairs()) == polygon


def test_scaling_moves_to_a_resized_page() -> None:
    """A page twice as wide and half as high has its points there."""
    assert Polygon.of([(1, 2), (3, 4), (5, 6)]).scaled(2, 0.5) == Polygon.of([(2, 1), (6, 2), (10, 3)])


@given(polygon=st.from_type(Polygon), width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_clipping_keeps_points_on_the_page_and_moves_no_others(
    polygon: Polygon, width: int, height: int
) -> None:
    """Every point ends on the page; a point that was on it stays where it was."""
    for before, after in zip(polygon.points, polygon.clipped(width, height).points, strict=True):
        assert 0 <= after.x <= width
        assert 0 <= after.y <= height
        if 0 <= before.x <= width and 0 <= before.y <= height:
            assert after == before


@pytest.mark.parametrize("rotation", ROTATIONS)
@given(
    size=st.tuples(st.integers(4, 40), st.integers(4, 40)),
    corner=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
    extent=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_unrotated_finds_the_pixels_of_a_really_turned_page(
    rotation: int, size: tuple[int, int], corner: tuple[int, int], extent: tuple[int, int]
) -> None:
    """Pixels painted on a page, found on the turned page, are unrotated to where they were painted."""
    width, height = size
    x0, y0 = corner[0] % width, corner[1] % height
    x1, y1 = min(width, x0 + extent[0]), min(height, y0 + extent[1])
    page = np.zeros((height, width), np.uint8)
    page[y0:y1, x0:x1] = 1

    turned = np.rot90(page, -rotation // 90)
    rows, columns = np.nonzero(turned)
    seen = BBox(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)

    assert Polygon.from_bbox(seen).unrotated(rotation, width, height).bbox == BBox(x0, y0, x1, y1)


@pytest.mark.parametrize(
    ("rotation", "top_left"), [(0, (2, 3)), (90, (3, 90 - 2)), (180, (98, 87)), (270, (100 - 3, 2))]
)
def test_the_first_point_stays_where_the_text_starts(rotation: int, top_left: tuple[float, float]) -> None:
    """Unrotating moves points and keeps their order, so the first is still where a reader starts."""
    polygon = Polygon.from_bbox(BBox(2, 3, 20, 9))
    assert polygon.unrotated(rotation, 100, 90).points[0] == Point(*top_left)


@given(polygon=st.from_type(Polygon), turns=st.integers(-8, 8))
def test_whole_turns_change_nothing(polygon: Polygon, turns: int) -> None:
    """360 degrees, forward or back, are no rotation."""
    assert polygon.unrotated(360 * turns, 100, 200) == polygon


@pytest.mark.parametrize("rotation", [1, 45, -30])
def test_pages_turn_by_right_angles_only(rotation: int) -> None:
    """Anything else would need resampling, which is not geometry's to do."""
    with pytest.raises(ValueError, match="right angles"):
        Polygon.from_bbox(BBox(0, 0, 1, 1)).unrotated(rotation, 10, 10)
