"""The document model refuses what cannot be and knows what follows from its parts."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.document import Block, Line, Page, Word
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind

PLACE = Polygon.from_bbox(BBox(0, 0, 10, 10))


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan"), float("inf")])
def test_confidence_is_between_zero_and_one(confidence: float) -> None:
    """Words, lines and blocks alike refuse an impossible confidence."""
    with pytest.raises(ValueError, match="confidence"):
        Word("a", PLACE, confidence)
    with pytest.raises(ValueError, match="confidence"):
        Line("a", PLACE, confidence)
    with pytest.raises(ValueError, match="confidence"):
        Block(BlockKind.PARAGRAPH, PLACE, confidence=confidence)


@pytest.mark.parametrize("rotation", [1, -90, 360])
def test_a_page_is_turned_by_a_right_angle_or_not_at_all(rotation: int) -> None:
    """Rotation has four values; whoever computes another one has a bug."""
    with pytest.raises(ValueError, match="turned"):
        Page(1, 1, rotation=rotation)


@pytest.mark.parametrize("sizes", [(-1, 1, 0), (1, -1, 0), (1, 1, -1)])
def test_a_page_has_no_negative_size_or_place(sizes: tuple[int, int, int]) -> None:
    """Sizes are pixels and the index counts from 0."""
    width, height, index = sizes
    with pytest.raises(ValueError, match="not negative"):
        Page(width, height, index=index)


def test_people_count_pages_from_one() -> None:
    """`number` is what people see, `index` what programs count."""
    assert Page(1, 1, index=0).number == 1
    assert Page(1, 1, index=41).number == 42


@given(page=st.from_type(Page))
def test_lines_come_block_by_block(page: Page) -> None:
    """All lines of a page are the lines of its blocks, none lost, none twice, in order."""
    assert list(page.lines()) == [line for block in page.blocks for line in block.lines]


def test_confidence_of_a_page_is_the_mean_of_what_is_known() -> None:
    """A line without a confidence is left out of the mean; it does not count as 0."""
    lines = (Line("a", PLACE, 0.5), Line("b", PLACE, None), Line("c", PLACE, 1.0))
    assert Page(1, 1, (Block(BlockKind.PARAGRAPH, PLACE, lines),)).confidence == 0.75


@pytest.mark.parametrize("lines", [(), (Line("a", PLACE),)])
def test_confidence_of_a_page_may_be_unknown(lines: tuple[Line, ...]) -> None:
    """Nothing known is None, never 0."""
    assert Page(1, 1, (Block(BlockKind.PARAGRAPH, PLACE, lines),)).confidence is None


def test_what_was_read_does_not_change() -> None:
    """Documents are shared between tasks, so nobody may write into one."""
    with pytest.raises(FrozenInstanceError):
        Word("a", PLACE).text = "b"  # type: ignore[misc]
