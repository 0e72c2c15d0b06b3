"""Points, polygons and boxes in pixels, top-left origin, x to the right and y down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Self

_RIGHT_ANGLE = 90
_MIN_POINTS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """One place on a page, in pixels; fractions are allowed."""

    x: float
    y: float

    def __post_init__(self) -> None:
        """Refuse what no pixel can be."""
        if not (isfinite(self.x) and isfinite(self.y)):
            raise ValueError(f"a point needs finite coordinates, not ({self.x}, {self.y})")


@dataclass(frozen=True, slots=True)
class BBox:
    """An upright rectangle (x0, y0, x1, y1) in pixels, x0 <= x1 and y0 <= y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        """Refuse a box that is inside out or endless."""
        if not all(map(isfinite, (self.x0, self.y0, self.x1, self.y1))):
            raise ValueError(f"a box needs finite edges: {self}")
        if not (self.x0 <= self.x1 and self.y0 <= self.y1):
            raise ValueError(f"a box needs x0 <= x1 and y0 <= y1: {self}")

    @property
    def width(self) -> float:
        """Pixels from left to right."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    def union(self, other: "BBox") -> "BBox":
        """The smallest box around both."""
        return BBox(
            min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1)
        )

    def vertical_overlap(self, other: "BBox") -> float:
        """Pixels of height that both share; negative = the gap between them."""
        return min(self.y1, other.y1) - max(self.y0, other.y0)

    def horizontal_overlap(self, other: "BBox") -> float:
        """Pixels of width that both share; negative = the gap between them."""
        return min(self.x1, other.x1) - max(self.x0, other.x0)


@dataclass(frozen=True, slots=True)
class Polygon:
    """Points clockwise from the top-left one as the text is read."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        """Refuse what encloses nothing."""
        if len(self.points) < _MIN_POINTS:
            raise ValueError(f"a polygon needs at least {_MIN_POINTS} points, not {len(self.points)}")

    @classmethod
    def of(cls, pairs: Iterable[Iterable[float]]) -> Self:
        """Build from [[x, y], ...]."""
        return cls(tuple(Point(float(x), float(y)) for x, y in pairs))

    @classmethod
    def from_bbox(cls, box: BBox) -> Self:
        """The four corners of an upright box."""
        return cls.of([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])

    @property
    def bbox(self) -> BBox:
        """The upright box around it."""
        xs = [point.x for point in self.points]
        ys = [point.y for point in self.points]
        return BBox(min(xs), min(ys), max(xs), max(ys))

    def pairs(self) -> list[list[float]]:
        """[[x, y], ...], as JSON carries it."""
        return [[point.x, point.y] for point in self.points]

    def scaled(self, x_factor: float, y_factor: float) -> "Polygon":
        """The same polygon on a page resized by these factors."""
        return Polygon(tuple(Point(point.x * x_factor, point.y * y_factor) for point in self.points))

    def clipped(self, width: float, height: float) -> "Polygon":
        """Each point moved inside a page of this size."""
        return Polygon(
            tuple(
                Point(min(max(point.x, 0.0), width), min(max(point.y, 0.0), height)) for point in self.points
            )
        )

    def unrotated(self, rotation: int, width: float, height: float) -> "Polygon":
        """Back onto the page as received.

        Args:
            rotation: degrees clockwise by which the page was turned before it was read: 0, 90, 180, 270.
            width: of the page as received, pixels.
            height: of the page as received, pixels.
        """
        if rotation % _RIGHT_ANGLE:
            raise ValueError(f"a page is turned by right angles, not by {rotation} degrees")
        place = _UNROTATE[rotation % 360]
        return Polygon(tuple(Point(*place(point.x, point.y, width, height)) for point in self.points))


# The turned page has its width and height swapped for 90 and 270.
_UNROTATE: dict[int, Callable[[float, float, float, float], tuple[float, float]]] = {
    0: lambda x, y, _w, _h: (x, y),
    90: lambda x, y, _w, h: (y, h - x),
    180: lambda x, y, w, h: (w - x, h - y),
    270: lambda x, y, w, _h: (w - y, x),
}
