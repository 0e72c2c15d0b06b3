"""Signs of trouble: a model that repeats itself, and a page with nothing on it to read."""

import re
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from pecia_ocr.engines.base import Pixels

_BOXES = re.compile(r"<\|det\|>[^<>]*<\|/det\|>")
_LONGEST_BLOCK = 4096  # characters of a block that are compared


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """What counts as a loop; honest pages stay well below.

    `period`: longest unit that repeats, tokens. `repeats`: how often it must stand there in a row, and
    `tokens`: how many tokens that must be: a form has thirty empty rows, a table of contents long
    lines of dots. `places`: the same text in the same place so often is a loop. `texts`: the same text
    so often, wherever it stands: a column may say "Present" on every line. `blocks`: lines that take
    turns in such a loop.
    """

    period: int = 64
    repeats: int = 8
    tokens: int = 384
    places: int = 4
    texts: int = 64
    blocks: int = 8


class _Repeats:
    """Counts how long a sequence has repeated itself, for every period at once.

    `runs[p]` = how many items up to the last one equal the item p before. Only periods at which the
    newest item was seen before are touched, so that ordinary text costs a few steps an item.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._count = 0
        self._runs: dict[int, int] = {}
        self._seen: dict[Hashable, deque[int]] = {}
        self._window: deque[Hashable] = deque()

    def feed(self, item: Hashable) -> dict[int, int]:
        """Period -> items in a row that repeat at it, the first unit not counted."""
        places = self._seen.setdefault(item, deque())
        periods = [self._count - place for place in places]
        self._runs = {period: self._runs.get(period, 0) + 1 for period in periods}
        places.append(self._count)
        self._window.append(item)
        self._count += 1
        if len(self._window) > self._longest:
            self._forget()
        return self._runs

    def _forget(self) -> None:
        oldest = self._window.popleft()
        places = self._seen[oldest]
        places.popleft()
        if not places:
            del self._seen[oldest]


class LoopDetector:
    """Follows one answer and says when it has become a loop; once said, it stays said."""

    def __init__(self, limits: LoopLimits | None = None) -> None:
        """Nothing has been said yet."""
        self._limits = limits or LoopLimits()
        self._tokens = _Repeats(self._limits.period)
        self._places = _Repeats(self._limits.blocks)
        self._texts = _Repeats(self._limits.blocks)
        self._line: list[str] = []
        self._line_length = 0
        self._looping = False

    def feed(self, token_ids: Sequence[int], text: str) -> bool:
        """Whether the model is repeating itself.

        Args:
            token_ids: the newest tokens.
            text: the newest text, marks included; it need not end where the tokens do.
        """
        limits = self._limits
        for token in token_ids:
            for period, run in self._tokens.feed(token).items():
                # The first unit is no repetition, but part of the loop.
                self._looping |= period + run >= max(limits.repeats * period, limits.tokens)
        first, *others = text.split("\n")
        self._gather(first)
        for part in others:
            self._block_ends()
            self._gather(part)
        return self._looping

    def _gather(self, part: str) -> None:
        kept = part[: _LONGEST_BLOCK - self._line_length]
        if kept:
            self._line.append(kept)
            self._line_length += len(kept)

    def _block_ends(self) -> None:
        """A line is complete: compare it with those before, once with its place and once without."""
        line = "".join(self._line).strip()
        self._line, self._line_length = [], 0
        text = _BOXES.sub("", line).strip()
        if not text:
            return
        if text != line:
            self._note(self._places, line, self._limits.places)
        self._note(self._texts, text, self._limits.texts)

    def _note(self, repeats: _Repeats, block: str, most: int) -> None:
        for period, run in repeats.feed(block).items():
            self._looping |= period + run >= most * period


_SIDE = 2500  # pixels; larger pages are looked at smaller, which also takes specks away
_BACKGROUND = 16  # pixels around one that it is compared with
_CONTRAST = 16  # grey levels
_INK = 24  # pixels
_MARGIN = 0.015  # of a side: the scanner's edge
_STRIDE = 4
_SURE_CONTRAST = 64
_SURE_INK = 200


def is_blank(pixels: Pixels) -> bool:
    """Whether there is nothing on the page: no pixels that stand out from what is around them.

    When in doubt it is not blank: an engine that reads nothing costs time, a page not read costs its
    text. Paper, shading, noise and a single speck are nothing; one small faint word is something.

    Args:
        pixels: the page, uint8 [height, width, 3].
    """
    down, across = (int(side * _MARGIN) for side in pixels.shape[:2])
    inner = pixels[down : pixels.shape[0] - down, across : pixels.shape[1] - across]
    return not _clearly_inked(inner) and _ink(inner) < _INK


def _clearly_inked(pixels: Pixels) -> bool:
    """A quick look at every fourth pixel of every fourth row, which settles most pages."""
    sample = pixels[::_STRIDE, ::_STRIDE, 1].astype(np.int16)
    return int((abs(np.diff(sample, axis=1)) >= _SURE_CONTRAST).sum()) >= _SURE_INK


def _ink(pixels: Pixels) -> int:
    """How many pixels differ from their surroundings, in any colour."""
    page = Image.fromarray(pixels)
    page = page.reduce(max(1, -(-max(page.size) // _SIDE)))
    fine, coarse = (page.filter(ImageFilter.BoxBlur(radius)) for radius in (1, _BACKGROUND))
    red, green, blue = ImageChops.difference(fine, coarse).split()
    contrast = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return sum(contrast.histogram()[_CONTRAST:])
