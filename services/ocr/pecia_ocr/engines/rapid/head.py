"""From features to characters: Latin script first, every script where Latin is not sure.

The classifier has a score (logit) for each of 18,710 classes. On text in Latin script the best of
its 592 classes scores far above what any glyph of another script leaves for it, so that a step whose
best Latin score is high needs no look at the rest. Steps below `_SURE_SCORE` do get that look. Over
1,500 lines of ten kinds this misses 4 of 1,100 foreign steps (dashes that both scripts have) and looks
again at 1 % of the steps of a receipt.
"""

from dataclasses import dataclass
from enum import StrEnum
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from pecia_ocr.engines.rapid.networks import Tensor
from pecia_ocr.engines.rapid.parts import Trunk

_SURE_SCORE = 16.0
_SURE_FOREIGN = 0.9
_BLANK = 0
_SIGNS = "\N{NUMERO SIGN}\N{TRADE MARK SIGN}\N{MINUS SIGN}←↑→↓√≠≤≥■□●★☆✓"


class Script(StrEnum):
    """Which characters a line may consist of."""

    AUTO = "auto"
    LATIN = "latin"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A line's characters, the probability of each, and the step at which each was seen."""

    characters: tuple[str, ...]
    certainty: Tensor
    steps: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Best:
    """For each step the winning class and its probability."""

    classes: NDArray[np.intp]
    certainty: Tensor

    def with_steps(self, which: NDArray[np.bool_], classes: NDArray[np.intp], certainty: Tensor) -> "_Best":
        """The same but for some steps."""
        changed = _Best(self.classes.copy(), self.certainty.copy())
        changed.classes[which], changed.certainty[which] = classes, certainty
        return changed


class Head:
    """The recogniser's classifier."""

    def __init__(self, trunk: Trunk) -> None:
        """Set the Latin part of the weights aside."""
        self._alphabet = np.array(trunk.alphabet, dtype=object)
        self._weights, self._bias = trunk.weights, trunk.bias
        self._latin = np.flatnonzero([_is_latin(text) for text in trunk.alphabet])
        self._latin_weights = np.ascontiguousarray(trunk.weights[:, self._latin])
        self._latin_bias = trunk.bias[self._latin]
        self._foreign = np.ones(len(trunk.alphabet), bool)
        self._foreign[self._latin] = False
        self._foreign_letter = self._foreign & np.array([_is_letter(text) for text in trunk.alphabet])

    def transcribe(self, features: Tensor, script: Script) -> list[Transcript]:
        """What a batch of lines says.

        Args:
            features: lines x steps x features.
            script: for all of them.
        """
        lines, steps, width = features.shape
        flat = features.reshape(-1, width)
        latin, weak = self._in_latin(flat, script)
        if not weak.any():
            return [self._transcript(latin, line * steps, steps) for line in range(lines)]
        latin, every = self._again(flat, latin, weak)
        transcripts = []
        for line in range(lines):
            foreign, begin = self._transcript(every, line * steps, steps), line * steps
            accepted = script is Script.ALL or self._speaks_foreign(every, begin, steps)
            transcripts.append(foreign if accepted else self._transcript(latin, begin, steps))
        return transcripts

    def _in_latin(self, flat: Tensor, script: Script) -> tuple[_Best, NDArray[np.bool_]]:
        """The best Latin class of each step, and where that is not enough."""
        scores = flat @ self._latin_weights + self._latin_bias
        best = scores.argmax(1)
        top = scores[np.arange(len(scores)), best]
        certainty = 1 / np.exp(scores - top[:, None]).sum(1)
        weak = {Script.LATIN: np.zeros(len(top), bool), Script.ALL: np.ones(len(top), bool)}
        return _Best(self._latin[best], certainty), weak.get(script, top < _SURE_SCORE)

    def _again(self, flat: Tensor, latin: _Best, weak: NDArray[np.bool_]) -> tuple[_Best, _Best]:
        """Both readings after a look at all classes: in Latin, now less certain, and in every script."""
        scores = flat[weak] @ self._weights + self._bias
        best = scores.argmax(1)
        rows = np.arange(len(scores))
        chances = np.exp(scores - scores[rows, best][:, None])
        chances /= chances.sum(1)[:, None]
        latin_certainty, classes, certainty = (
            latin.certainty.copy(),
            latin.classes.copy(),
            latin.certainty.copy(),
        )
        latin_certainty[weak] = chances[rows, latin.classes[weak]]
        classes[weak], certainty[weak] = best, chances[rows, best]
        return _Best(latin.classes, latin_certainty), _Best(classes, certainty)

    def _speaks_foreign(self, best: _Best, begin: int, steps: int) -> bool:
        """Whether letters of other scripts on this line are meant: they are sure, or they are the most.

        A speck on a Latin page may look a little like one of 16,000 ideographs.
        """
        classes = best.classes[begin : begin + steps]
        kept = _kept(classes)
        letters = kept[self._foreign_letter[classes[kept]]]
        if not len(letters):
            return False
        sure = float(best.certainty[begin + letters].mean()) >= _SURE_FOREIGN
        return sure or 2 * len(letters) > len(kept)

    def _transcript(self, best: _Best, begin: int, steps: int) -> Transcript:
        classes = best.classes[begin : begin + steps]
        kept = _kept(classes)
        return Transcript(
            tuple(self._alphabet[classes[kept]]), np.minimum(best.certainty[begin + kept], 1.0), kept
        )


def _kept(classes: NDArray[np.intp]) -> NDArray[np.intp]:
    """CTC: a class that repeats is one character, blanks are none."""
    before = np.concatenate(([_BLANK], classes[:-1]))
    return np.flatnonzero((classes != _BLANK) & (classes != before))


def _is_latin(text: str) -> bool:
    """Latin letters with all their marks, digits, and the signs that texts in Latin script use."""
    if len(text) != 1:
        return text == ""
    code = ord(text)
    return (
        code < 0x250  # noqa: PLR2004 - up to and with Latin Extended-B
        or 0x1E00 <= code <= 0x1EFF  # noqa: PLR2004 - Latin Extended Additional, for Vietnamese
        or 0x2010 <= code <= 0x2044  # noqa: PLR2004 - dashes, quotation marks, bullets
        or 0x20A0 <= code <= 0x20BF  # noqa: PLR2004 - currencies
        or text in _SIGNS
    )


def _is_letter(text: str) -> bool:
    return len(text) == 1 and category(text).startswith("L")
