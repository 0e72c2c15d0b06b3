"""Boxes that stand side by side are one row."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pecia_core.geometry import BBox

# A row takes a box that shares more than this part of the smaller height with its neighbour there.
_SHARED_HEIGHT = 0.5
# Boxes that share more than this part of the smaller width stand above each other: never one row.
_SHARED_WIDTH = 0.5
# Boxes come from top to bottom, so only the last few rows can still grow, even on a skewed page.
_OPEN_ROWS = 4


@dataclass(slots=True)
class Row:
    """Indices of boxes from left to right, and the left edges to find a place among them."""

    members: list[int] = field(default_factory=list)
    _edges: list[tuple[float, float]] = field(default_factory=list)
    _tops: float = 0.0
    _bottoms: float = 0.0

    @property
    def band(self) -> BBox:
        """The mean top and bottom of its boxes; a row's left and right ends do not matter to it."""
        count = len(self.members)
        return BBox(0.0, self._tops / count, 0.0, self._bottoms / count)

    def takes(self, box: BBox, boxes: Sequence[BBox]) -> bool:
        """Whether the box stands beside the row or its neighbours in it, and none is above or below it.

        On a skewed page only the neighbours are on its height; a comma is only on the row's.
        """
        place = bisect_left(self._edges, (box.x0, box.x1))
        neighbours = [boxes[index] for index in self.members[max(0, place - 1) : place + 1]]
        return any(_beside(box, other) for other in (*neighbours, self.band)) and not any(
            _stacked(box, other) for other in neighbours
        )

    def add(self, index: int, box: BBox) -> None:
        """Put the box in its place from left to right."""
        place = bisect_left(self._edges, (box.x0, box.x1))
        self._edges.insert(place, (box.x0, box.x1))
        self.members.insert(place, index)
        self._tops += box.y0
        self._bottoms += box.y1


def _beside(box: BBox, other: BBox) -> bool:
    return box.vertical_overlap(other) > _SHARED_HEIGHT * min(box.height, other.height)


def _stacked(box: BBox, other: BBox) -> bool:
    return box.horizontal_overlap(other) > _SHARED_WIDTH * min(box.width, other.width)


def rows(boxes: Sequence[BBox], indices: Iterable[int]) -> list[Row]:
    """The rows of these boxes, from top to bottom."""
    found: list[Row] = []
    for index in sorted(indices, key=lambda index: from_top(boxes[index])):
        box = boxes[index]
        row = next((row for row in reversed(found[-_OPEN_ROWS:]) if row.takes(box, boxes)), None)
        if row is None:
            row = Row()
            found.append(row)
        row.add(index, box)
    return sorted(found, key=lambda row: from_top(row.band))


def from_top(box: BBox) -> tuple[float, float, float, float, float]:
    """Sort key: by the middle, then from left to right; equal only for equal boxes."""
    return ((box.y0 + box.y1) / 2, box.x0, box.x1, box.y0, box.y1)
