"""A model's reading becomes one whose lines have places and confidences.

A model that writes tells neither. What a line of the CPU engine has found in its text gets that line's place,
and how far both spell it alike is its confidence. Words that nobody has seen stand alone, in their block's
place, with confidence 0.
"""

from collections.abc import Sequence
from dataclasses import replace

from pecia_core.document import Block, Line, Page
from pecia_core.recognition import Notice, Recognition
from pecia_core.vocabulary import BlockKind
from rapidfuzz.distance import LCSseq

from pecia_ocr.agreement.places import find
from pecia_ocr.agreement.script import Script, Word, compact

# A page has no more of either, and comparing more takes long.
LONGEST_TEXT = 20_000
MOST_LINES = 600
# What a model describes rather than reads.
_UNREAD = (BlockKind.FIGURE, BlockKind.FORMULA)
# A CPU engine's own confidence from which a line that the model left out is told.
_SURE = 0.8


def compared(read: Recognition, witness: Page) -> Recognition:
    """The model's reading, its lines with places and confidences, and how far both agree on the page.

    Lines that the model placed itself stay where they are. `text` stays as it was.

    Args:
        read: what the model made of a page.
        witness: what a CPU engine read on it, in the same pixels.
    """
    seen = [line for line in witness.lines() if not _inside(line, read.page.blocks)]
    texts = [_text(block) for block in read.page.blocks]
    if sum(map(len, texts)) > LONGEST_TEXT or len(seen) > MOST_LINES:
        return read
    script = Script(texts)
    letters = [compact(line.text) for line in seen]
    find(script, letters)
    desk = _Desk(script, seen, letters)
    blocks = tuple(desk.block(number, block) for number, block in enumerate(read.page.blocks))
    return replace(
        read,
        page=replace(read.page, blocks=blocks),
        agreement=desk.agreement(),
        warnings=(*read.warnings, *desk.notices()),
    )


def _text(block: Block) -> str:
    """What a block says; lines that the model placed itself are rows of it."""
    if block.kind in _UNREAD:
        return ""
    return block.content or "\n".join(" ".join(line.text.replace("<", " ").split()) for line in block.lines)


def _inside(line: Line, blocks: Sequence[Block]) -> bool:
    """Whether a line stands in a figure or formula."""
    box = line.polygon.bbox
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    around = [block.polygon.bbox for block in blocks if block.kind in _UNREAD]
    return any(one.x0 <= x <= one.x1 and one.y0 <= y <= one.y1 for one in around)


class _Desk:
    """The script, its words given to the lines, and the lines themselves."""

    def __init__(self, script: Script, seen: Sequence[Line], letters: Sequence[str]) -> None:
        self._script = script
        self._seen = seen
        self._letters = letters
        self._said = [""] * len(seen)
        for word in script.words:
            if word.owner is not None:
                self._said[word.owner] += word.letters

    def block(self, number: int, block: Block) -> Block:
        """With lines in the order of its text."""
        if block.kind in _UNREAD:
            return block
        if block.lines and not block.content:
            rows = [self._own(number, row, line) for row, line in enumerate(block.lines)]
            return replace(block, lines=tuple(rows))
        return replace(block, lines=tuple(self._line(part, block) for part in self._script.parts(number)))

    def _line(self, words: list[Word], block: Block) -> Line:
        """Words with one owner, or with none."""
        text, owner = self._script.text(words), words[0].owner
        if owner is None:
            return Line(text, block.polygon, 0.0)
        seen = self._seen[owner]
        return Line(text, seen.polygon, _alike(self._said[owner], self._letters[owner]), row=seen.row)

    def _own(self, number: int, row: int, line: Line) -> Line:
        """A line with a place of its own: how much of it somebody else has seen."""
        words = [word for word in self._script.words if (word.block, word.row) == (number, row)]
        owners = dict.fromkeys(word.owner for word in words if word.owner is not None)
        mine, theirs = "".join(word.letters for word in words), "".join(self._letters[one] for one in owners)
        return replace(
            line, confidence=LCSseq.similarity(mine, theirs) / len(mine) if mine else line.confidence
        )

    def agreement(self) -> float:
        """Of all letters that either has, the share that both have."""
        both = sum(map(LCSseq.similarity, self._said, self._letters))
        every = self._script.length + sum(map(len, self._letters))
        return 2 * both / every if every else 1.0

    def notices(self) -> tuple[Notice, ...]:
        """What the model left out, as far as the other is sure of it."""
        missing = [
            line
            for line, said in zip(self._seen, self._said, strict=True)
            if not said and compact(line.text) and (line.confidence or 0.0) >= _SURE
        ]
        if not missing:
            return ()
        message = f"Lines that a CPU engine read on this page and that are not in the text: {len(missing)}."
        return (Notice("lines_missing", message),)


def _alike(one: str, other: str) -> float:
    """0.0 to 1.0: of the letters of both, the share that both have in the same order."""
    both = len(one) + len(other)
    return 2 * LCSseq.similarity(one, other) / both if both else 1.0
