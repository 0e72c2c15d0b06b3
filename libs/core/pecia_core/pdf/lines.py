"""Characters become words, words lines, and lines blocks in reading order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

from pecia_core.geometry import BBox
from pecia_core.pdf.characters import Character
from pecia_core.pdf.layer import Corners, PlacedLine, PlacedWord
from pecia_core.reading_order import arrange

# PDFium's sign for a hyphen at the end of a line, which is drawn as one.
_HYPHENS = {"\ufffe", "\x02", "\u00ad"}
_LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
# White space, in heights of the line, that parts a line: columns and cells.
_GAP = 1.5


@dataclass(slots=True)
class _Word:
    text: str
    box: BBox


@dataclass(slots=True)
class _Run:
    """Words side by side."""

    level: bool
    words: list[_Word] = field(default_factory=list)

    @property
    def box(self) -> BBox:
        return reduce(BBox.union, (word.box for word in self.words))


def blocks(signs: Sequence[Character | None], width: int, height: int) -> list[list[PlacedLine]]:
    """Lines in reading order, in pixels of a page of this size; signs off the page are left out."""
    lines = _runs(signs, width, height)
    found, number = [], -1
    for block in arrange([line.box for line in lines]):
        placed = []
        for row in block:
            number += 1
            placed += [_placed(lines[index], number) for index in row]
        found.append(placed)
    return found


def overlaid(signs: Sequence[Character | None]) -> bool:
    """Whether words lie on top of each other."""
    words = [word for line in _runs(signs, 10_000, 10_000) for word in line.words]
    words.sort(key=lambda word: word.box.y0)
    for index, word in enumerate(words):
        for other in words[index + 1 :]:
            if other.box.y0 >= word.box.y1:
                break
            if _on_top(word.box, other.box):
                return True
    return False


def _on_top(one: BBox, other: BBox) -> bool:
    high, wide = one.vertical_overlap(other), one.horizontal_overlap(other)
    return high > 0.5 * min(one.height, other.height) and wide > 0.4 * min(one.height, one.width, other.width)


def _runs(signs: Sequence[Character | None], width: int, height: int) -> list[_Run]:
    runs: list[_Run] = []
    run, apart = None, True
    for sign in signs:
        if sign is None:
            run = None
        elif sign.text.isspace():
            apart = True
        elif (box := _on_page(sign, width, height)) is not None:
            if run is None or run.level != sign.level or _far(run.words[-1].box, box, run):
                run, apart = _Run(sign.level), True
                runs.append(run)
            text = "-" if sign.text in _HYPHENS else _LIGATURES.get(sign.text, sign.text)
            if apart:
                run.words.append(_Word(text, box))
            else:
                word = run.words[-1]
                word.text, word.box = word.text + text, word.box.union(box)
            apart = False
    return runs


def _on_page(sign: Character, width: int, height: int) -> BBox | None:
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in sign.box)
    if left >= right or top >= bottom:
        return None
    return BBox(left * width, top * height, right * width, bottom * height)


def _far(last: BBox, box: BBox, run: _Run) -> bool:
    if not run.level:
        return False
    height = max(last.height, box.height)
    return (
        box.x0 - last.x1 > _GAP * height or box.x1 < last.x0 - height or last.vertical_overlap(box) < -height
    )


def _placed(run: _Run, row: int) -> PlacedLine:
    words = [PlacedWord(word.text, _corners(word.box)) for word in run.words]
    return PlacedLine(" ".join(word.text for word in words), _corners(run.box), row, words)


def _corners(box: BBox) -> Corners:
    return ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1))
