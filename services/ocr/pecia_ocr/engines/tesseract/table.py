"""Tesseract's TSV: rows of words, put together to lines."""

from collections.abc import Iterator
from itertools import groupby

from pecia_core.document import Line, Word
from pecia_core.geometry import BBox, Polygon

_WORD_LEVEL = "5"
_COLUMNS = 12


def lines(table: str) -> list[Line]:
    """Every line with text, in Tesseract's order; boxes in pixels of the picture it saw."""
    return [_line([word for _, word in group]) for _, group in groupby(_words(table), lambda pair: pair[0])]


def _words(table: str) -> Iterator[tuple[list[str], Word]]:
    """Each word with the number of its line: page, block, paragraph, line."""
    for row in table.split("\n"):
        cells = row.split("\t", _COLUMNS - 1)
        if cells[0] == _WORD_LEVEL and cells[-1].strip():
            left, top, width, height = map(int, cells[6:10])
            box = Polygon.from_bbox(BBox(left, top, left + width, top + height))
            certainty = min(max(float(cells[10]) / 100, 0.0), 1.0)
            yield cells[1:5], Word(cells[-1].strip(), box, certainty)


def _line(words: list[Word]) -> Line:
    """Its confidence is the mean over its characters."""
    box = words[0].polygon.bbox
    for word in words[1:]:
        box = box.union(word.polygon.bbox)
    characters = sum(len(word.text) for word in words)
    certainty = sum((word.confidence or 0.0) * len(word.text) for word in words) / characters
    return Line(" ".join(word.text for word in words), Polygon.from_bbox(box), certainty, tuple(words))
