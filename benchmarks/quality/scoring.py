"""How far a reading is from the truth. One way of counting, whoever read."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

# Typographers' variants that no reader should be blamed for.
_PLAIN = str.maketrans(
    {"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"}  # quotes
    | {"\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00ad": ""}  # dashes, minus, soft hyphen
)
_ROUNDS = 2000
_RECENT_ROWS = 4


@dataclass(frozen=True, slots=True)
class Placed:
    """Text and the upright box around it, in pixels."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one picture; they add up over a set."""

    edits: int
    characters: int
    shared_words: int
    read_words: int
    true_words: int


def normalised(text: str) -> str:
    """Compatible characters made one, quotes and dashes plain, white space single, upper case."""
    plain = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    return re.sub(r"\s+", " ", plain).strip().upper()


def in_rows(pieces: Sequence[Placed]) -> str:
    """Rows from top to bottom, each from left to right.

    The same simple rule for the truth and for every reader, so that what differs is what was read:
    a piece joins a row it overlaps by more than half of the lower height.
    """
    rows: list[_Row] = []
    for piece in sorted((piece for piece in pieces if piece.text.strip()), key=lambda p: p.y0 + p.y1):
        for row in reversed(rows[-_RECENT_ROWS:]):
            if row.takes(piece):
                row.add(piece)
                break
        else:
            rows.append(_Row(piece))
    rows.sort(key=lambda row: row.y0 + row.y1)
    return "\n".join(row.text for row in rows)


class _Row:
    """Pieces side by side; its top and bottom are their means."""

    def __init__(self, piece: Placed) -> None:
        self.pieces = [piece]
        self.y0, self.y1 = piece.y0, piece.y1

    def takes(self, piece: Placed) -> bool:
        overlap = min(self.y1, piece.y1) - max(self.y0, piece.y0)
        return overlap > 0.5 * min(self.y1 - self.y0, piece.y1 - piece.y0)

    def add(self, piece: Placed) -> None:
        self.pieces.append(piece)
        count = len(self.pieces)
        self.y0 += (piece.y0 - self.y0) / count
        self.y1 += (piece.y1 - self.y1) / count

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in sorted(self.pieces, key=lambda piece: piece.x0))


def score(truth: str, reading: str) -> Score:
    """Compare one picture's text with the truth."""
    true, read = normalised(truth), normalised(reading)
    true_words, read_words = Counter(true.split()), Counter(read.split())
    return Score(
        edits=Levenshtein.distance(true, read),
        characters=len(true),
        shared_words=(true_words & read_words).total(),
        read_words=read_words.total(),
        true_words=true_words.total(),
    )


def character_error_rate(scores: Sequence[Score]) -> float:
    """Per cent of characters to be changed, over the whole set. Lower is better."""
    return 100 * sum(s.edits for s in scores) / max(1, sum(s.characters for s in scores))


def word_f1(scores: Sequence[Score]) -> float:
    """Per cent of words shared with the truth, wherever they stand, over the set. Higher is better."""
    words = sum(s.read_words + s.true_words for s in scores)
    return 200 * sum(s.shared_words for s in scores) / max(1, words)


@dataclass(frozen=True, slots=True)
class Difference:
    """A minus B in per cent points, and where 95 of 100 repetitions would find it."""

    mean: float
    low: float
    high: float


def difference(
    measure: Callable[[Sequence[Score]], float], first: Sequence[Score], second: Sequence[Score]
) -> Difference:
    """A paired bootstrap over pictures: both readers are resampled with the same pictures."""
    dice = np.random.default_rng(20_261_121)
    rounds = dice.integers(0, len(first), (_ROUNDS, len(first)))
    found = [measure([first[i] for i in round_]) - measure([second[i] for i in round_]) for round_ in rounds]
    low, high = np.percentile(found, [2.5, 97.5])
    return Difference(measure(first) - measure(second), float(low), float(high))
