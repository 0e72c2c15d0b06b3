r"""What the model's answer means, while it is being written: text, blocks with boxes, lines.

DeepSeek-OCR writes `<|ref|>label<|/ref|><|det|>[[x1, y1, x2, y2], ...]<|/det|>` before the text of a region;
Unlimited-OCR writes `<|det|>label [x1, y1, x2, y2]<|/det|>`, and `<PAGE>` before each of several pages. What
is not exactly that is text: nothing is evaluated, nothing is lost. Three or more line breaks become two,
as in the published code; none stand at the beginning or the end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pecia_core.document import Block, Line
from pecia_core.geometry import BBox, Polygon
from pecia_core.vocabulary import BlockKind, TaskType

from pecia_ocr.engines.deepseek.grounding import Grid, is_label, kind_of
from pecia_ocr.engines.deepseek.marks import Lexer, Mark, Token
from pecia_ocr.engines.deepseek.profiles import ModelProfile

_LONGEST_TAG = 8192  # characters between two marks; more is no tag
_BREAKS = re.compile("\n{3,}")
_FORMULA = re.compile(r"\s*(?:\\\[|\$\$)(.*?)(?:\\\]|\$\$)\s*", re.DOTALL)
_FOLLOWS: dict[Mark | None, Mark] = {Mark.REF: Mark.REF_END, Mark.REF_END: Mark.DET, Mark.DET: Mark.DET_END}
# Tasks whose free text stands on the page; the others talk about it.
_READING = frozenset({TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LINES})
# Tasks whose references hold the words themselves, not a label.
_WORDS = frozenset({TaskType.LINES, TaskType.LOCATE})


@dataclass(frozen=True, slots=True)
class TextPiece:
    """More of the text; all of them joined are the text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockPiece:
    """A region that is finished; `begin` to `end` is what the model wrote for it, in characters fed."""

    block: Block
    begin: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class PagePiece:
    """The next of several pages begins, with a text of its own. `index` is its, from 0; 0 is not said."""

    index: int


Piece = TextPiece | BlockPiece | PagePiece


@dataclass(slots=True)
class _Region:
    """A block whose text is still coming; no label = text that the model put nowhere."""

    polygon: Polygon
    begin: int
    label: str = ""
    kind: BlockKind = BlockKind.PARAGRAPH
    parts: list[str] = field(default_factory=list)


class Grammar:
    """Reads one answer. Pieces come out as soon as they are certain and never hold half a mark."""

    def __init__(
        self,
        profile: ModelProfile,
        width: int,
        height: int,
        task: TaskType,
        more_pages: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Begin.

        Args:
            profile: says how boxes are written.
            width: of the page, pixels.
            height: of the page, pixels.
            task: what was asked.
            more_pages: width and height of the pages behind the first, where several were shown.
        """
        self._labelled = profile.grammar == "det"
        self._task = task
        self._lexer = Lexer(frozenset(Mark) if self._labelled else frozenset(Mark) - {Mark.PAGE})
        self._grids = [Grid(width, height), *(Grid(*size) for size in more_pages)]
        self.pages_begun = 0  # marks of pages
        self.unmarked = False  # whether something was written before the first of them
        self._page = 0
        self._pieces: list[Piece] = []
        self._open: list[Token] = []  # a tag as far as it has come
        self._open_length = 0
        self._inside: Mark | None = None  # the last mark of the open tag
        self._at = 0  # characters read
        self._breaks = 0  # line breaks that wait for text behind them
        self._apart = False  # whether that text begins a line of its own
        self._written = False  # whether this page has text
        self._figures = 0
        self._blocks = 0
        self._row: BBox | None = None
        self._rows = -1
        self._region = self._nowhere()

    def feed(self, text: str) -> list[Piece]:
        """What is certain after more of the answer."""
        for token in self._lexer.feed(text):
            self._read(token)
        return self._take()

    def finish(self) -> list[Piece]:
        """The rest, when the answer has ended; half a tag is text."""
        for token in self._lexer.finish():
            self._read(token)
        self._give_up()
        self._close()
        return self._take()

    def _take(self) -> list[Piece]:
        """All pieces since the last time, neighbouring texts joined."""
        pieces: list[Piece] = []
        texts: list[str] = []
        for piece in self._pieces:
            if isinstance(piece, TextPiece):
                texts.append(piece.text)
                continue
            if texts:
                pieces.append(TextPiece("".join(texts)))
                texts = []
            pieces.append(piece)
        if texts:
            pieces.append(TextPiece("".join(texts)))
        self._pieces = []
        return pieces

    def _read(self, token: Token) -> None:
        """One token on: it continues the open tag, or ends it, or stands for itself."""
        if self._open:
            if self._continues(token):
                self._hold(token)
                if token.mark is Mark.DET_END:
                    self._ground()
                return
            self._give_up()
        if token.mark is Mark.REF or (token.mark is Mark.DET and self._labelled):
            self._hold(token)
        elif token.mark is Mark.PAGE:
            self._turn(token)
        else:
            self._at += token.length
            self._write(token.text)

    def _continues(self, token: Token) -> bool:
        if token.mark is None:
            return self._inside is not Mark.REF_END and self._open_length + token.length <= _LONGEST_TAG
        return _FOLLOWS.get(self._inside) is token.mark

    def _hold(self, token: Token) -> None:
        self._open.append(token)
        self._open_length += token.length
        self._inside = token.mark or self._inside

    def _drop(self) -> list[Token]:
        """Close the open tag; what it was made of."""
        held, self._open, self._open_length, self._inside = self._open, [], 0, None
        return held

    def _give_up(self) -> None:
        """The open tag is none: its marks are text."""
        for token in self._drop():
            self._at += token.length
            self._write(token.text)

    def _ground(self) -> None:
        """A tag is complete: if it says something, a region begins."""
        grounded = self._grounded()
        if grounded is None:
            self._give_up()
            return
        begin, name, boxes = self._at, grounded[0].strip(), grounded[1]
        self._close()
        self._at += self._open_length
        labelled = self._drop()[0].mark is Mark.DET or self._task not in _WORDS
        if labelled and is_label(name):
            self._begin(name, boxes)
        else:
            self._words(name, boxes, begin)

    def _grounded(self) -> tuple[str, list[BBox]] | None:
        """The reference and its boxes, in pixels."""
        marks = [place for place, token in enumerate(self._open) if token.mark]
        parts = ["".join(token.text for token in self._open[a + 1 : b]) for a, b in pairwise(marks)]
        grid = self._grids[self._page]
        if len(parts) == 1:
            return grid.label_and_boxes(parts[0])
        boxes = grid.boxes(parts[-1])
        return None if boxes is None else (parts[0], boxes)

    def _begin(self, label: str, boxes: list[BBox]) -> None:
        """A region whose text follows."""
        kind = kind_of(label)
        self._apart = True
        self._region = _Region(self._around(boxes), self._at, label, kind)
        if kind is BlockKind.FIGURE and boxes:  # else there is nothing that could be shown
            self._figures += 1
            self._write(f"![](figure-{self._figures})")
            self._apart = True

    def _words(self, words: str, boxes: list[BBox], begin: int) -> None:
        """Words and where they stand: a line, for locate one at each place."""
        places = boxes if self._task is TaskType.LOCATE else [self._around(boxes).bbox]
        for box in places if words else ():
            self._apart = True
            self._write(words)
            self._apart = True
            polygon = Polygon.from_bbox(box)
            line = Line(words, polygon, row=self._row_of(box))
            self._emit(Block(BlockKind.PARAGRAPH, polygon, (line,), self._blocks), begin)
        self._region = self._nowhere()

    def _row_of(self, box: BBox) -> int:
        """The row before, if the line stands beside the last one; otherwise the next."""
        last, self._row = self._row, box
        beside = last is not None and 2 * box.vertical_overlap(last) > min(box.height, last.height)
        self._rows += not (beside and last is not None and box.horizontal_overlap(last) <= 0)
        return self._rows

    def _around(self, boxes: list[BBox]) -> Polygon:
        if not boxes:
            return self._grids[self._page].whole
        around = boxes[0]
        for box in boxes[1:]:
            around = around.union(box)
        return Polygon.from_bbox(around)

    def _nowhere(self) -> _Region:
        return _Region(self._grids[self._page].whole, self._at)

    def _turn(self, token: Token) -> None:
        """A page ends; the first mark stands before the first page."""
        self._close()
        self._at += token.length
        self._apart = True
        self.pages_begun += 1
        self.unmarked = self.unmarked or (self.pages_begun == 1 and (self._written or self._blocks > 0))
        if 1 < self.pages_begun <= len(self._grids):
            self._page += 1
            self._figures = self._blocks = self._breaks = 0
            self._row, self._rows, self._written = None, -1, False
            self._pieces.append(PagePiece(self._page))
        self._region = self._nowhere()

    def _close(self) -> None:
        """The open region is finished; one without a label is a block only if it holds text of the page."""
        region = self._region
        content = "".join(region.parts).strip("\n")
        if region.label or (content.strip() and self._task in _READING):
            if region.kind is BlockKind.FORMULA and (formula := _FORMULA.fullmatch(content)):
                content = formula[1].strip()
            block = Block(region.kind, region.polygon, (), self._blocks, content=content, label=region.label)
            self._emit(block, region.begin)
        self._region = self._nowhere()

    def _emit(self, block: Block, begin: int) -> None:
        self._pieces.append(BlockPiece(block, begin, self._at))
        self._blocks += 1

    def _write(self, text: str) -> None:
        """Text for the reader; line breaks wait for what follows them."""
        body = text.lstrip("\n")
        self._breaks += len(text) - len(body)
        if not body:
            return
        kept = body.rstrip("\n")
        before = "\n" * min(max(self._breaks, self._apart), 2) if self._written else ""
        self._breaks, self._apart, self._written = len(body) - len(kept), False, True
        said = before + _BREAKS.sub("\n\n", kept)
        self._region.parts.append(said)
        self._pieces.append(TextPiece(said))
