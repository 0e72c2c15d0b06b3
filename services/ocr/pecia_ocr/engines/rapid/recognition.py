"""What strips say. Strips of all pages in this process wait together, so that they fill batches.

Nobody waits for a batch to fill: whoever has the turn computes its page's next strip, and takes along
those of the same width, its own and other pages'.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pecia_ocr.engines.base import CancelToken, Pixels
from pecia_ocr.engines.rapid.head import Head, Script, Transcript
from pecia_ocr.engines.rapid.networks import Network, Tensor
from pecia_ocr.engines.rapid.strips import STRIP_HEIGHT
from pecia_ocr.engines.rapid.turns import Turns

# Widths are rounded up to multiples of the first number that is no less than a twentieth of them: few
# different shapes for the runtime, little padding to pay for.
_BUCKETS = (32, 64, 128, 256)
_BUCKETS_WIDE = 20
# Columns computed together. More gains nothing, and a batch is the time a cancel may have to wait.
_BATCH_COLUMNS = 1280


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


@dataclass(slots=True, eq=False)
class _Slip:
    """A strip that waits to be read."""

    strip: Pixels
    columns: int
    script: Script
    cancel: CancelToken
    reading: Reading | None = None


class Recognizer:
    """Reads strips, for several threads at once."""

    def __init__(self, network: Network, head: Head, turns: Turns) -> None:
        """Use a loaded network; `turns` is shared with whatever else computes in this process."""
        self._network = network
        self._head = head
        self._turns = turns
        self._lock = Lock()
        self._waiting: list[_Slip] = []

    @property
    def waiting(self) -> int:
        """Strips that nobody computes yet."""
        return len(self._waiting)

    def read(
        self, strips: Sequence[Pixels], script: Script, cancel: CancelToken
    ) -> Generator[Reading, None, None]:
        """One reading a strip, in their order, each as soon as it is there.

        Raises:
            Interrupted: `cancel` said so.
        """
        slips = [_Slip(strip, _padded(strip.shape[1]), script, cancel) for strip in strips]
        with self._lock:
            self._waiting.extend(slips)
        try:
            for slip in slips:
                yield self._reading(slip)
        finally:
            with self._lock:
                self._waiting = [slip for slip in self._waiting if slip.cancel is not cancel]

    def _reading(self, slip: _Slip) -> Reading:
        slip.cancel.check()
        while slip.reading is None:
            with self._turns.mine(slip.cancel):
                if slip.reading is None:
                    self._compute(self._batch(slip))
        return slip.reading

    def _batch(self, first: _Slip) -> list[_Slip]:
        """`first` and those that fit beside it, oldest first; they no longer wait."""
        room = max(1, _BATCH_COLUMNS // first.columns)
        with self._lock:
            fit = [s for s in self._waiting if s.columns == first.columns and s.script is first.script]
            batch = [first, *(slip for slip in fit if slip is not first)][:room]
            del batch[1 << (len(batch).bit_length() - 1) :]  # 1, 2, 4, ...: few different shapes
            self._waiting = [slip for slip in self._waiting if slip not in batch]
        return batch

    def _compute(self, batch: list[_Slip]) -> None:
        alone = all(slip.cancel is batch[0].cancel for slip in batch)
        features = self._network.run(_tensor(batch), batch[0].cancel if alone else CancelToken())
        for slip, transcript in zip(batch, self._head.transcribe(features, batch[0].script), strict=True):
            slip.reading = _reading(transcript, features.shape[1], slip)


def _padded(width: int) -> int:
    step = next((step for step in _BUCKETS if width <= _BUCKETS_WIDE * step), _BUCKETS[-1])
    return -(-width // step) * step


def _tensor(batch: Sequence[_Slip]) -> Tensor:
    """Strips x 3 x 48 x columns, BGR as the model was trained, -1 to 1, grey beyond each strip's end."""
    tensor = np.zeros((len(batch), 3, STRIP_HEIGHT, batch[0].columns), np.float32)
    for row, slip in zip(tensor, batch, strict=True):
        row[:, :, : slip.strip.shape[1]] = slip.strip[:, :, ::-1].transpose(2, 0, 1)
        row[:, :, : slip.strip.shape[1]] *= np.float32(1 / 127.5)
        row[:, :, : slip.strip.shape[1]] -= 1
    return tensor


def _reading(transcript: Transcript, steps: int, slip: _Slip) -> Reading:
    if not transcript.characters:
        return Reading("", 0.0)
    centres = (transcript.steps + 0.5) * slip.columns / (steps * slip.strip.shape[1])
    return Reading(
        "".join(transcript.characters).strip(),
        float(transcript.certainty.mean()),
        tuple(_words(transcript, np.clip(centres, 0.0, 1.0))),
    )


def _words(transcript: Transcript, centres: NDArray[np.float64]) -> Iterator[Span]:
    """Split at spaces; a word reaches half way to its neighbours, the outer ones to the strip's ends."""
    characters, certainty = transcript.characters, transcript.certainty
    edges = np.concatenate(([0.0], (centres[:-1] + centres[1:]) / 2, [1.0]))
    begin = 0
    for end in [*(i for i, character in enumerate(characters) if character == " "), len(characters)]:
        if end > begin:
            text = "".join(characters[begin:end])
            yield Span(text, float(certainty[begin:end].mean()), float(edges[begin]), float(edges[end]))
        begin = end + 1
