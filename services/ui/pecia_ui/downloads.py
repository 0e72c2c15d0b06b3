"""A reading as files to keep: text, Markdown, JSON."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

from pecia_ui.asking import MARKDOWN
from pecia_ui.markup import inert
from pecia_ui.reading import Block, Reading

# Signs that Markdown would take for markup.
_MARKUP = re.compile(r"[\\`*\[|~]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_LEADING = re.compile(r"^(?=#{1,6}(?:\s|$)|>|[-+](?:\s|$)|-+\s*$|=+\s*$)|(?<=\d)(?=[.)](?:\s|$))")


@dataclass(frozen=True, slots=True)
class File:
    """A file to download."""

    name: str
    media_type: str
    content: bytes


def files(reading: Reading, task_type: str, picture_name: str) -> tuple[File, File, File]:
    """Text, Markdown and JSON, named after the picture."""
    stem = PurePath(picture_name).stem or "page"
    return (
        File(f"{stem}.txt", "text/plain", plain_text(reading, task_type).encode()),
        File(f"{stem}.md", "text/markdown", markdown(reading, task_type).encode()),
        File(f"{stem}.json", "application/json", as_json(reading).encode()),
    )


def plain_text(reading: Reading, task_type: str) -> str:
    """The text as answered; for Markdown, the lines behind it, where they are known."""
    if task_type != MARKDOWN or not any(block.lines for page in reading.pages for block in page.blocks):
        return reading.text
    return "\n\n".join(
        "\n".join(row for block in page.blocks for row in _rows(block) or [block.content])
        for page in reading.pages
    )


def markdown(reading: Reading, task_type: str) -> str:
    """The Markdown as answered, made inert; for other tasks, one paragraph a block."""
    if task_type == MARKDOWN or not reading.pages:
        return inert(reading.text)
    return "\n\n".join(_paragraph(block) for page in reading.pages for block in page.blocks)


def as_json(reading: Reading) -> str:
    """Everything the gateway said about the picture."""
    told = {"text": reading.text, "request_id": reading.request_id, "ocr": dict(reading.ocr)}
    return json.dumps(told, ensure_ascii=False, indent=2)


def _paragraph(block: Block) -> str:
    if not block.lines:
        return inert(block.content)
    rows = [_escaped(row) for row in _rows(block)]
    # Two spaces at the end keep rows apart, as they stood on the paper.
    return "# " + " ".join(rows) if block.kind == "title" else "  \n".join(rows)


def _rows(block: Block) -> list[str]:
    return list(_joined(block))


def _joined(block: Block) -> Iterator[str]:
    for _, lines in groupby(block.lines, key=lambda line: line.row):
        yield " ".join(line.text for line in lines)


def _escaped(row: str) -> str:
    return _LEADING.sub(r"\\", _MARKUP.sub(r"\\\g<0>", row.strip()), count=1)
