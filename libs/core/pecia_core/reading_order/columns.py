"""Zones of a page that are read one after the other: columns of running text, and what spans them.

A recursive cut along the white space between columns. A cut is made only where running text stands
on both sides; the white space inside a receipt (label and price) or a table parts nothing, because
there a person reads along the row.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from statistics import median

from pecia_core.geometry import BBox
from pecia_core.reading_order.rows import from_top, rows

# Rows that running text needs on each side of a cut.
_ROWS = 4
# Running text is at least this many line heights wide (25 to 30 characters): prices, quantities and
# labels are not.
_WIDE = 10.0
# In running text most rows hold a line about as long as the longest, and little white space; a
# table's cells are short, ragged, or far apart. One side of a cut may hold a table beside its text.
_FULL_LENGTH = 0.8
_DENSE = 0.75
_MOSTLY_FULL = 0.6
_SOME_FULL = 0.4
# White space between columns, in line heights.
_GUTTER = 0.6
# How far a box may stick out over a cut, in line heights.
_SLACK = 0.3
# A left edge shared by many lines may begin a column; the best of these are tried.
_CANDIDATES = 12
# Columns inside columns inside columns: deeper than any real page.
_DEPTH = 8
# So few lines, so far (in line heights) above or below the rest, are a running head or foot.
_FEW = 4
_FAR = 2.0


@dataclass(slots=True)
class _Segment:
    """Neighbouring boxes from top to bottom; `right` is filled only where a cut parts them."""

    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.left) + len(self.right)


def zones(boxes: Sequence[BBox]) -> list[list[int]]:
    """Indices of boxes, zone by zone in reading order; each index once."""
    if not boxes:
        return []
    indices = sorted(range(len(boxes)), key=lambda index: from_top(boxes[index]))
    return _cut(boxes, indices, _DEPTH)


def _cut(boxes: Sequence[BBox], indices: list[int], depth: int) -> list[list[int]]:
    if depth == 0 or len(indices) < 2 * _ROWS:
        return [indices]
    height = median(boxes[index].height for index in indices)
    attempts = [_segments(boxes, indices, edge, height) for edge in _left_edges(boxes, indices, height)]
    best = max(attempts, key=_parted, default=[])
    if not _parted(best):
        return [indices]
    found: list[list[int]] = []
    for segment in best:
        if segment.right:
            found += _cut(boxes, segment.left, depth - 1) + _cut(boxes, segment.right, depth - 1)
        else:
            found += _cut(boxes, segment.left, depth - 1)
    return found


def _parted(segments: list[_Segment]) -> int:
    return sum(segment.size for segment in segments if segment.right)


def _left_edges(boxes: Sequence[BBox], indices: list[int], height: float) -> list[float]:
    """Where columns may begin: left edges that enough lines share, the most shared first."""
    width = max(height, 1.0)
    starts = Counter(int(boxes[index].x0 // width) for index in indices)
    shared = {place: starts[place] + starts[place + 1] for place in starts}
    places = sorted((-count, place) for place, count in shared.items() if count >= _ROWS)
    return [
        min(boxes[index].x0 for index in indices if int(boxes[index].x0 // width) == place)
        for _, place in places[:_CANDIDATES]
    ]


def _segments(boxes: Sequence[BBox], indices: list[int], edge: float, height: float) -> list[_Segment]:
    """Cut along `edge`: boxes that cross it part the page into what is above and below them."""
    slack = _SLACK * height

    def crosses(index: int) -> bool:
        return boxes[index].x0 < edge - slack and boxes[index].x1 > edge + slack

    found: list[_Segment] = []
    for spanning, group in groupby(indices, key=crosses):
        members = list(group)
        parts = [members] if spanning else _without_head_and_foot(boxes, members, height)
        for part in parts:
            segment = _Segment(part) if spanning else _sides(boxes, part, edge - slack, height)
            if found and not (found[-1].right or segment.right):
                found[-1].left += segment.left
            else:
                found.append(segment)
    return found


def _without_head_and_foot(boxes: Sequence[BBox], part: list[int], height: float) -> list[list[int]]:
    """A running head and foot apart from the columns between them; no part is empty."""
    if len(part) <= 2 * _ROWS:
        return [part]
    far = _FAR * height
    head = foot = 0
    for few in range(1, _FEW + 1):
        above, below = part[:few], part[few:]
        if min(boxes[index].y0 for index in below) - max(boxes[index].y1 for index in above) > far:
            head = few
        above, below = part[:-few], part[-few:]
        if min(boxes[index].y0 for index in below) - max(boxes[index].y1 for index in above) > far:
            foot = few
    end = len(part) - foot
    return [some for some in (part[:head], part[head:end], part[end:]) if some]


def _sides(boxes: Sequence[BBox], part: list[int], edge: float, height: float) -> _Segment:
    """Left and right of the edge if both are running text with white space between, else one whole."""
    left = [index for index in part if boxes[index].x0 < edge]
    right = [index for index in part if boxes[index].x0 >= edge]
    if len(left) < _ROWS or len(right) < _ROWS:
        return _Segment(part)
    white = min(boxes[index].x0 for index in right) - max(boxes[index].x1 for index in left)
    if white < _GUTTER * height:
        return _Segment(part)
    less, more = sorted(_full_rows(boxes, side, height) for side in (left, right))
    return _Segment(left, right) if less >= _SOME_FULL and more >= _MOSTLY_FULL else _Segment(part)


def _full_rows(boxes: Sequence[BBox], side: list[int], height: float) -> float:
    """The share of rows that long lines fill; 0.0 where there are too few rows or none is long."""
    if max(boxes[index].width for index in side) < _WIDE * height:
        return 0.0
    found = [[boxes[index] for index in row.members] for row in rows(boxes, side)]
    longest = [max(box.width for box in row) for row in found]
    full = sorted(longest)[-1 - len(longest) // 10]
    if len(found) < _ROWS or full < _WIDE * height:
        return 0.0
    filled = (
        width >= _FULL_LENGTH * full
        and sum(box.width for box in row) >= _DENSE * reduce(BBox.union, row).width
        for width, row in zip(longest, found, strict=True)
    )
    return sum(filled) / len(found)
