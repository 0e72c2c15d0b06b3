"""What a strip says: PP-OCR's recognition model and its CTC alphabet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pecia_ocr.engines.base import CancelToken, Pixels
from pecia_ocr.engines.rapid.session import Session, Tensor
from pecia_ocr.engines.rapid.strips import STRIP_HEIGHT

_BUCKET = 32  # widths are rounded up to it, so that the runtime sees few different shapes


@dataclass(frozen=True, slots=True)
class Span:
    """A word; `start` and `end` are fractions of the strip's width, from 0 to 1."""

    text: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a strip, the mean probability of its characters, and its words."""

    text: str
    confidence: float
    words: tuple[Span, ...] = ()


class Recognizer:
    """Reads one strip at a time: batches would be padded to their widest strip, and cost accuracy."""

    def __init__(self, session: Session) -> None:
        """Use a loaded recognition model, whose file carries its alphabet."""
        self._session = session
        # Class 0 is CTC's blank; the space comes after the listed characters.
        self._alphabet = ["", *session.metadata["character"].splitlines(), " "]

    def read(self, strip: Pixels, cancel: CancelToken) -> Reading:
        """One line of text."""
        chances = self._session.run(_tensor(strip), cancel)[0]
        best = chances.argmax(axis=1)
        kept = np.flatnonzero((best != 0) & (best != np.concatenate(([-1], best[:-1]))))
        if not len(kept):
            return Reading("", 0.0)
        certainty = np.minimum(chances[kept, best[kept]], 1.0)
        characters = [self._alphabet[index] for index in best[kept]]
        centres = (kept + 0.5) * _padded(strip.shape[1]) / (len(best) * strip.shape[1])
        return Reading(
            "".join(characters).strip(),
            float(certainty.mean()),
            tuple(_words(characters, certainty, np.clip(centres, 0.0, 1.0))),
        )


def _padded(width: int) -> int:
    return -(-width // _BUCKET) * _BUCKET


def _tensor(strip: Pixels) -> Tensor:
    """1 x 3 x 48 x width, BGR as the model was trained, -1 to 1, grey beyond the strip's end."""
    width = strip.shape[1]
    tensor = np.zeros((1, 3, STRIP_HEIGHT, _padded(width)), np.float32)
    tensor[0, :, :, :width] = strip[:, :, ::-1].transpose(2, 0, 1) * np.float32(1 / 127.5) - 1
    return tensor


def _words(characters: list[str], certainty: Tensor, centres: NDArray[np.float64]) -> list[Span]:
    """Split at spaces; a word reaches half way to its neighbours, the outer ones to the strip's ends."""
    edges = np.concatenate(([0.0], (centres[:-1] + centres[1:]) / 2, [1.0]))
    words: list[Span] = []
    begin = 0
    for end in [*(i for i, character in enumerate(characters) if character == " "), len(characters)]:
        if end > begin:
            text = "".join(characters[begin:end])
            words.append(
                Span(text, float(certainty[begin:end].mean()), float(edges[begin]), float(edges[end]))
            )
        begin = end + 1
    return words
