"""Readings as files."""

import json
from typing import Any

import pytest
from pecia_ui.downloads import files
from pecia_ui.reading import Reading
from pecia_ui.testing.gateway import page

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]


def block(*rows: str, kind: str = "paragraph", content: str = "") -> dict[str, Any]:
    """A block of rows; `a|b` are two lines beside each other."""
    lines = [
        {"text": text, "polygon": SQUARE, "confidence": None, "row": number}
        for number, row in enumerate(rows)
        for text in row.split("|")
    ]
    return {"kind": kind, "polygon": SQUARE, "lines": lines, "content": content}


def read(text: str, *blocks: dict[str, Any]) -> Reading:
    """A reading of one page."""
    return Reading.from_stream(text, {"engine": "rapid", "pages": [page([]) | {"blocks": blocks}]}, "req-1")


def contents(reading: Reading, task_type: str) -> tuple[str, str]:
    """Text and Markdown."""
    text, markdown, _ = files(reading, task_type, "scan.png")
    return text.content.decode(), markdown.content.decode()


def test_files_are_named_after_the_picture() -> None:
    """So that ten downloads stay apart."""
    names = [file.name for file in files(read("x"), "free_ocr", "holiday.photo.jpeg")]
    assert names == ["holiday.photo.txt", "holiday.photo.md", "holiday.photo.json"]
    assert files(read("x"), "free_ocr", "")[0].name == "page.txt"


def test_plain_text_becomes_paragraphs() -> None:
    """Blocks are parted by a blank line, rows by a hard break, titles by a sign."""
    reading = read("Title\nTotal 9\nThanks", block("Title", kind="title"), block("Total|9", "Thanks"))
    assert contents(reading, "free_ocr") == ("Title\nTotal 9\nThanks", "# Title\n\nTotal 9  \nThanks")


def test_markdown_becomes_plain_text() -> None:
    """Without the signs that Markdown needs."""
    reading = read("# Title\n\n1\\. first", block("Title", kind="title"), block("1. first"))
    assert contents(reading, "markdown") == ("Title\n1. first", "# Title\n\n1\\. first")


def test_markdown_without_lines_is_all_there_is() -> None:
    """A table has no lines of its own."""
    reading = read("<table></table>", block(kind="table", content="<table></table>"))
    assert contents(reading, "markdown") == ("<table></table>", "<table></table>")


@pytest.mark.parametrize(
    ("row", "escaped"),
    [
        ("# 12", "\\# 12"),
        ("1. Rice", "1\\. Rice"),
        ("- 5%", "\\- 5%"),
        ("2*3 [x] <b> a_b", "2\\*3 \\[x] \\<b> a_b"),
        ("-5", "-5"),
    ],
)
def test_signs_on_paper_stay_signs(row: str, escaped: str) -> None:
    """A price list is no list of bullets."""
    assert contents(read(row, block(row)), "free_ocr")[1] == escaped


def test_json_holds_everything_the_gateway_said() -> None:
    """Lines, boxes, engine, request id; letters stay letters."""
    file = files(read("Größe", block("Größe")), "free_ocr", "a.png")[2]
    told = json.loads(file.content)
    assert (told["text"], told["request_id"], told["ocr"]["engine"]) == ("Größe", "req-1", "rapid")
    assert told["ocr"]["pages"][0]["blocks"][0]["lines"][0]["text"] == "Größe"
    assert "Größe".encode() in file.content


def test_a_file_fetches_nothing() -> None:
    """Programs that show Markdown fetch its pictures: whoever put one on paper would hear of its readers."""
    hostile = "![](https://hostile.test/1.png) <img src=https://hostile.test/2.png>"
    escaped = "\\![](https://hostile.test/1.png) &lt;img src=https://hostile.test/2.png>"
    assert contents(read(hostile), "markdown") == (hostile, escaped)
    assert contents(read("", block(content=hostile)), "free_ocr")[1] == escaped
