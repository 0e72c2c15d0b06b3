"""Document > Page > Block > Line > Word: what was read, frozen.

Polygons are in pixels of the page as received, after its EXIF rotation was applied, top-left
origin. Confidence is 0.0 to 1.0, or None where it is not known (never 0 for "unknown").
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pecia_core.geometry import Polygon
from pecia_core.vocabulary import BlockKind

_ROTATIONS = (0, 90, 180, 270)


def _check_confidence(value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"confidence is 0.0 to 1.0 or absent, not {value}")


@dataclass(frozen=True, slots=True)
class Word:
    """Characters without a space between them."""

    text: str
    polygon: Polygon
    confidence: float | None = None

    def __post_init__(self) -> None:
        """Refuse an impossible confidence."""
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True)
class Line:
    """A run of text as an engine reads it; `row` counts the page's visual rows from 0.

    Lines that stand side by side (a label and its price) share a row.
    """

    text: str
    polygon: Polygon
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    row: int = 0

    def __post_init__(self) -> None:
        """Refuse an impossible confidence."""
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True)
class Block:
    """A region of a page; `reading_order` is its position on the page, from 0.

    `content` is text that is more than its lines: a table as HTML, a formula as LaTeX, a model's Markdown.
    Lines beside it only say where it stands.
    `label` is what the model called the block, where that says more than the kind.
    """

    kind: BlockKind
    polygon: Polygon
    lines: tuple[Line, ...] = ()
    reading_order: int = 0
    confidence: float | None = None
    content: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse an impossible confidence."""
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True)
class Page:
    """One page image. `index` counts from 0; people see `number`, which counts from 1.

    `width` and `height` are pixels. `rotation` is the degrees clockwise by which the picture had to
    be turned to be read: 0, 90, 180 or 270.
    """

    width: int
    height: int
    blocks: tuple[Block, ...] = ()
    index: int = 0
    rotation: int = 0

    def __post_init__(self) -> None:
        """Refuse a page that no picture can be."""
        if self.rotation not in _ROTATIONS:
            raise ValueError(f"a page is turned by {_ROTATIONS} degrees, not by {self.rotation}")
        if min(self.width, self.height, self.index) < 0:
            raise ValueError(f"sizes and index of a page are not negative: {self}")

    @property
    def number(self) -> int:
        """The page number people see."""
        return self.index + 1

    def lines(self) -> Iterator[Line]:
        """Every line, in reading order."""
        for block in self.blocks:
            yield from block.lines

    @property
    def confidence(self) -> float | None:
        """Mean of the known line confidences."""
        known = [line.confidence for line in self.lines() if line.confidence is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class Document:
    """One input file, page by page."""

    pages: tuple[Page, ...] = ()
