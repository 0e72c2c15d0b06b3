"""Rows that belong together are one block: paragraphs, by the space above them or their indent."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from statistics import median

from pecia_core.geometry import BBox

# All in heights of a typical row of the zone.
_EXTRA_GAP = 0.6  # more space than usual before a row
_INDENT = (0.8, 5.0)  # the first line of a paragraph begins this much to the right
_FLUSH = 0.5  # left edges closer than this are one edge
_WIDE = 8.0  # running text is at least this wide
# A row this much taller or lower than the one before is set in another size: a title, a footnote.
_OTHER_SIZE = 1.6


def paragraphs(boxes: Sequence[BBox], rows: Sequence[list[int]]) -> list[list[list[int]]]:
    """Group rows, given from top to bottom, into blocks."""
    if not rows:
        return []
    outlines = [_outline(boxes, row) for row in rows]
    height = median(outline.height for outline in outlines)
    gaps = [-above.vertical_overlap(below) for above, below in pairwise(outlines)]
    usual_gap = median(gaps) if gaps else 0.0
    blocks = [[rows[0]]]
    for place, gap in enumerate(gaps, start=1):
        if (
            gap > usual_gap + _EXTRA_GAP * height
            or _other_size(outlines[place - 1], outlines[place])
            or _indented(outlines[place - 1 : place + 2], height)
        ):
            blocks.append([])
        blocks[-1].append(rows[place])
    return blocks


def _outline(boxes: Sequence[BBox], row: list[int]) -> BBox:
    return reduce(BBox.union, (boxes[index] for index in row))


def _other_size(above: BBox, below: BBox) -> bool:
    low, high = sorted((above.height, below.height))
    return high > _OTHER_SIZE * low


def _indented(around: Sequence[BBox], height: float) -> bool:
    """Whether the middle one of three rows of running text begins a paragraph."""
    if len(around) < 3 or any(row.width < _WIDE * height for row in around):  # noqa: PLR2004  three rows
        return False
    above, row, below = around
    least, most = (step * height for step in _INDENT)
    return least < row.x0 - below.x0 < most and abs(above.x0 - below.x0) < _FLUSH * height
