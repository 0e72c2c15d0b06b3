"""A page as the JSON of the REST API, and back. Numbers are not rounded: nothing is lost on the way."""

from typing import Any

from pecia_core.document import Block, Document, Line, Page, Word
from pecia_core.geometry import Polygon
from pecia_core.vocabulary import BlockKind

Json = dict[str, Any]


def document_json(document: Document) -> Json:
    """{"pages": [page_json...]}."""
    return {"pages": [page_json(page) for page in document.pages]}


def page_json(page: Page) -> Json:
    """The page with its blocks, lines and words; `confidence` is null where it is not known.

    `number`, `bbox` and the page's `confidence` follow from the rest: a convenience for readers.
    """
    return {
        "index": page.index,
        "number": page.number,
        "width": page.width,
        "height": page.height,
        "rotation": page.rotation,
        "confidence": page.confidence,
        "blocks": [_block_json(block) for block in page.blocks],
    }


def _block_json(block: Block) -> Json:
    return {
        "kind": block.kind.value,
        "reading_order": block.reading_order,
        **_place(block.polygon),
        "confidence": block.confidence,
        "label": block.label,
        "content": block.content,
        "lines": [_line_json(line) for line in block.lines],
    }


def _line_json(line: Line) -> Json:
    return {
        **_word_json(line),
        "row": line.row,
        "words": [_word_json(word) for word in line.words],
    }


def _word_json(word: Word | Line) -> Json:
    return {"text": word.text, "confidence": word.confidence, **_place(word.polygon)}


def _place(polygon: Polygon) -> Json:
    box = polygon.bbox
    return {"polygon": polygon.pairs(), "bbox": [box.x0, box.y0, box.x1, box.y1]}


def document_from_json(data: Json) -> Document:
    """The way back.

    Raises:
        KeyError, TypeError, ValueError: not what `document_json` makes.
    """
    return Document(tuple(page_from_json(page) for page in data["pages"]))


def page_from_json(data: Json) -> Page:
    """The way back.

    Raises:
        KeyError, TypeError, ValueError: not what `page_json` makes.
    """
    return Page(
        width=data["width"],
        height=data["height"],
        blocks=tuple(_block_from_json(block) for block in data["blocks"]),
        index=data["index"],
        rotation=data["rotation"],
    )


def _block_from_json(data: Json) -> Block:
    return Block(
        kind=BlockKind(data["kind"]),
        polygon=Polygon.of(data["polygon"]),
        lines=tuple(_line_from_json(line) for line in data["lines"]),
        reading_order=data["reading_order"],
        confidence=data["confidence"],
        content=data["content"],
        label=data["label"],
    )


def _line_from_json(data: Json) -> Line:
    return Line(
        text=data["text"],
        polygon=Polygon.of(data["polygon"]),
        confidence=data["confidence"],
        words=tuple(_word_from_json(word) for word in data["words"]),
        row=data["row"],
    )


def _word_from_json(data: Json) -> Word:
    return Word(data["text"], Polygon.of(data["polygon"]), data["confidence"])
