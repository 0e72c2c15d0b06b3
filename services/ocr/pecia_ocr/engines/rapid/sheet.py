"""One page while it is read: quadrangles become lines in reading order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pecia_core.document import Line, Word
from pecia_core.geometry import Polygon
from pecia_core.reading_order import arrange

from pecia_ocr.engines.base import CancelToken, Pixels, PlacedLine
from pecia_ocr.engines.rapid.head import Script
from pecia_ocr.engines.rapid.quads import Quad, sides, turned
from pecia_ocr.engines.rapid.recognition import Reading, Recognizer
from pecia_ocr.engines.rapid.skew import levelled
from pecia_ocr.engines.rapid.strips import strip

_SURE_ENOUGH = 0.5  # what is read with less confidence was no text; the model's publisher's bound
_TALL = 1.5
_LINE = 3.0  # no single character is this slim


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page as received, what reads its strips, and in which script."""

    pixels: Pixels
    recognizer: Recognizer
    script: Script
    cancel: CancelToken

    def read(self, quads: Sequence[Quad]) -> Iterator[Reading]:
        """What stands inside each quad, starting at its first corner."""
        strips = [strip(self.pixels, quad) for quad in quads]
        return self.recognizer.read(strips, self.script, self.cancel)

    def lines(
        self, quads: Sequence[Quad], rotation: int, known: Mapping[int, Reading]
    ) -> Iterator[PlacedLine]:
        """Each line as soon as it is read; rows and blocks without text are not counted.

        Args:
            quads: on the page turned clockwise by `rotation`.
            rotation: degrees.
            known: what has been read already, by index of its quad.
        """
        blocks = arrange(levelled(quads))
        received = [self._received(quad, rotation) for quad in quads]
        order = [index for block in blocks for row in block for index in row]
        best = self._best([received[index] for index in order], [known.get(index) for index in order])
        row_number = block_number = 0
        for block in blocks:
            rows_before = row_number
            for row in block:
                row_has_text = False
                for _ in row:
                    quad, reading = next(best)
                    if reading.text and reading.confidence >= _SURE_ENOUGH:
                        row_has_text = True
                        yield PlacedLine(self._line(quad, reading, row_number), block_number)
                row_number += row_has_text
            block_number += row_number > rows_before

    def _received(self, quad: Quad, rotation: int) -> Quad:
        """The quad on the page as received, still starting at the corner where its text starts."""
        height, width = self.pixels.shape[:2]
        return np.array(Polygon.of(quad).unrotated(rotation, width, height).pairs(), np.float32)

    def _best(self, quads: Sequence[Quad], known: Sequence[Reading | None]) -> Iterator[tuple[Quad, Reading]]:
        """Each quad with what it says, turned to where its text starts: the surest of its ways wins."""
        ways = [[] if reading else _ways(quad) for quad, reading in zip(quads, known, strict=True)]
        readings = self.read([quad for quads_of_one in ways for quad in quads_of_one])
        for quad, reading, turns in zip(quads, known, ways, strict=True):
            if reading:
                yield quad, reading
            else:
                yield max([(way, next(readings)) for way in turns], key=lambda pair: pair[1].confidence)

    def _line(self, quad: Quad, reading: Reading, row: int) -> Line:
        words = tuple(
            Word(span.text, self._part(quad, span.start, span.end), span.confidence) for span in reading.words
        )
        return Line(reading.text, self._part(quad, 0.0, 1.0), reading.confidence, words, row)

    def _part(self, quad: Quad, start: float, end: float) -> Polygon:
        """The stretch of a line between two fractions of its width, inside the page."""
        top_left, top_right, bottom_right, bottom_left = quad.astype(np.float64)
        top, bottom = top_right - top_left, bottom_right - bottom_left
        corners = [
            top_left + top * start,
            top_left + top * end,
            bottom_left + bottom * end,
            bottom_left + bottom * start,
        ]
        height, width = self.pixels.shape[:2]
        return Polygon.of(corners).clipped(width, height)


def _ways(quad: Quad) -> list[Quad]:
    """Text in a tall box runs up, down, or is one slim character."""
    across, down = sides(quad)
    if down < _TALL * across:
        return [quad]
    return [turned(quad, way) for way in ((270, 90) if down >= _LINE * across else (270, 90, 0))]
