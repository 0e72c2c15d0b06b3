"""What the gateway answered, as types the page can show."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Json = Mapping[str, Any]
_PICTURE = "annotated_png"
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A run of text. `polygon` is in pixels of the page; `confidence` is 0.0 to 1.0, None = not known."""

    text: str
    polygon: Polygon
    confidence: float | None = None
    row: int = 0

    @classmethod
    def from_json(cls, line: Json) -> Self:
        """From `blocks[].lines[]`."""
        return cls(
            text=str(line["text"]),
            polygon=_polygon(line["polygon"]),
            confidence=line.get("confidence"),
            row=int(line.get("row") or 0),
        )

    def is_doubtful(self, threshold: float) -> bool:
        """Whether somebody should look at it; what has no confidence is not accused."""
        return self.confidence is not None and self.confidence < threshold


@dataclass(frozen=True, slots=True)
class Block:
    """A region of the page; `content` is the text of blocks without lines, such as tables."""

    kind: str
    polygon: Polygon
    lines: tuple[Line, ...] = ()
    content: str = ""
    label: str = ""
    confidence: float | None = None

    @classmethod
    def from_json(cls, block: Json) -> Self:
        """From `pages[].blocks[]`."""
        return cls(
            kind=str(block.get("kind") or "paragraph"),
            polygon=_polygon(block["polygon"]),
            lines=tuple(Line.from_json(line) for line in block.get("lines") or ()),
            content=block.get("content") or "",
            label=block.get("label") or "",
            confidence=block.get("confidence"),
        )

    def regions(self) -> Iterator[Line]:
        """What gets a box of its own: its lines, or itself where it has none."""
        if self.lines:
            yield from self.lines
        else:
            yield Line(self.content or self.label, self.polygon, self.confidence)


@dataclass(frozen=True, slots=True)
class Page:
    """`width` and `height` in pixels of the picture after its EXIF rotation.

    `rotation` is the degrees clockwise by which it had to be turned to be read. `picture` shows it, with what
    was found drawn on it, where that was asked for.
    """

    width: int
    height: int
    rotation: int = 0
    confidence: float | None = None
    blocks: tuple[Block, ...] = ()
    picture: bytes = field(default=b"", repr=False)

    @classmethod
    def from_json(cls, page: Json) -> Self:
        """From `ocr.pages[]`."""
        return cls(
            width=int(page["width"]),
            height=int(page["height"]),
            rotation=int(page.get("rotation") or 0),
            confidence=page.get("confidence"),
            blocks=tuple(Block.from_json(block) for block in page.get("blocks") or ()),
            picture=base64.b64decode(page.get(_PICTURE) or ""),
        )

    @property
    def regions(self) -> tuple[Line, ...]:
        """Everything that gets a box, in reading order."""
        return tuple(region for block in self.blocks for region in block.regions())


@dataclass(frozen=True, slots=True)
class Reading:
    """A finished answer. `ocr` is the gateway's extension but for pictures; `timings` are in milliseconds."""

    text: str
    ocr: Json = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    request_id: str = ""

    @classmethod
    def from_stream(cls, text: str, ocr: Json, request_id: str) -> Self:
        """From the joined deltas and the `ocr` key of the last chunks."""
        told = ocr.get("pages") or ()
        pages = tuple(Page.from_json(page) for page in told)
        plain = [{name: said for name, said in page.items() if name != _PICTURE} for page in told]
        return cls(text, {**ocr, "pages": plain} if told else ocr, pages, request_id)

    @property
    def regions(self) -> tuple[Line, ...]:
        """Everything that gets a box, on all pages."""
        return tuple(region for page in self.pages for region in page.regions)

    @property
    def is_blank(self) -> bool:
        """Whether nothing was found."""
        return not self.text.strip() and not self.regions

    @property
    def confidence(self) -> float | None:
        """Mean of the page, None = not known."""
        return self.pages[0].confidence if self.pages else None

    @property
    def engine(self) -> str:
        """Who really read it."""
        return str(self.ocr.get("engine") or "")

    @property
    def model(self) -> str:
        """With which weights."""
        return str(self.ocr.get("model") or "")

    @property
    def fallback_from(self) -> str:
        """Who was asked instead; empty = who answered."""
        return str(self.ocr.get("fallback_from") or "")

    @property
    def is_truncated(self) -> bool:
        """Whether text is missing at the end."""
        return bool(self.ocr.get("truncated"))

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Pairs of code and sentence."""
        return tuple(
            (str(one.get("code") or ""), str(one.get("message") or one.get("code") or ""))
            for one in self.ocr.get("warnings") or ()
        )

    @property
    def timings(self) -> dict[str, float]:
        """decode_ms, queue_ms, engine_ms, total_ms, as far as they were told."""
        told = self.ocr.get("timings") or {}
        return {name: float(value) for name, value in told.items() if isinstance(value, int | float)}


def _polygon(points: Any) -> Polygon:  # noqa: ANN401 - parsed JSON
    return tuple((float(x), float(y)) for x, y in points)
