"""What the REST gateway answers, as types: the same document model the services use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pecia_core.document import Block, Document, Line, Page, Word
from pecia_core.geometry import Polygon
from pecia_core.recognition import Notice, Timings, Usage
from pecia_core.vocabulary import BlockKind

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one file, with everything the gateway says about it.

    `finish_reason` is the true one (stop, length, repetition, cancelled); `cached` says that every
    page is from a result that was kept; `raw` is the `ocr` object of the answer, for fields this
    version of the client does not know.
    """

    text: str
    document: Document = field(default_factory=Document)
    engine: str = ""
    model: str = ""
    fallback_from: str = ""
    attempts: int = 1
    finish_reason: str = "stop"
    truncated: bool = False
    warnings: tuple[Notice, ...] = ()
    timings: Timings = field(default_factory=Timings)
    usage: Usage = field(default_factory=Usage)
    request_id: str = ""
    cached: bool = False
    raw: Json = field(default_factory=dict)

    @classmethod
    def from_chat(cls, text: str, ocr: Json, usage: Json, request_id: str) -> Self:
        """Build from a chat completion: its text, its `ocr` extension and its usage."""
        return cls(
            text=text,
            document=Document(tuple(page_from_json(page) for page in ocr.get("pages") or ())),
            engine=ocr.get("engine") or "",
            model=ocr.get("model") or "",
            fallback_from=ocr.get("fallback_from") or "",
            attempts=int(ocr.get("attempts") or 1),
            finish_reason=ocr.get("finish_reason") or "stop",
            truncated=bool(ocr.get("truncated")),
            warnings=tuple(Notice(w["code"], w["message"]) for w in ocr.get("warnings") or ()),
            timings=_timings(ocr.get("timings") or {}),
            usage=_usage(usage),
            request_id=request_id,
            cached=bool(ocr.get("cached")),
            raw=ocr,
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """The answer of /v1/ocr for one picture: lines in reading order, no page structure."""

    lines: tuple[Line, ...]
    avg_confidence: float
    processing_time_ms: float
    engine: str = ""
    request_id: str = ""

    @classmethod
    def from_json(cls, body: Json, request_id: str) -> Self:
        """Build from the JSON body of the answer."""
        return cls(
            lines=tuple(
                Line(line["text"], Polygon.of(line["bbox"]), line.get("confidence"), row=index)
                for index, line in enumerate(body["lines"])
            ),
            avg_confidence=float(body.get("avg_confidence") or 0.0),
            processing_time_ms=float(body.get("processing_time_ms") or 0.0),
            engine=body.get("engine") or "",
            request_id=request_id,
        )

    @property
    def text(self) -> str:
        """All lines, one below the other."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model a caller may name, the engine that answers for it, and that engine's state.

    `created` is seconds since 1970; engine and state are empty where the gateway does not say.
    """

    id: str
    owned_by: str
    created: int
    engine: str = ""
    state: str = ""
    raw: Json = field(default_factory=dict)


def page_from_json(page: Json) -> Page:
    """One page of an answer; unknown fields are passed over, unknown kinds are paragraphs."""
    return Page(
        width=int(page["width"]),
        height=int(page["height"]),
        blocks=tuple(_block(block) for block in page.get("blocks") or ()),
        index=int(page.get("index") or 0),
        rotation=int(page.get("rotation") or 0),
    )


def _block(block: Json) -> Block:
    kind = block.get("kind")
    return Block(
        kind=BlockKind(kind) if kind in set(BlockKind) else BlockKind.PARAGRAPH,
        polygon=Polygon.of(block["polygon"]),
        lines=tuple(_line(line) for line in block.get("lines") or ()),
        reading_order=int(block.get("reading_order") or 0),
        confidence=block.get("confidence"),
        content=block.get("content") or "",
        label=block.get("label") or "",
    )


def _line(line: Json) -> Line:
    words = tuple(
        Word(word["text"], Polygon.of(word["polygon"]), word.get("confidence"))
        for word in line.get("words") or ()
    )
    return Line(
        text=line["text"],
        polygon=Polygon.of(line["polygon"]),
        confidence=line.get("confidence"),
        words=words,
        row=int(line.get("row") or 0),
    )


def _timings(timings: Json) -> Timings:
    names = ("decode_ms", "queue_ms", "engine_ms", "total_ms")
    return Timings(**{name: float(timings.get(name) or 0.0) for name in names})


def _usage(usage: Json) -> Usage:
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        image_tokens=int(details.get("image_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
    )
