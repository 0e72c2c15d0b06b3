"""One page while it is read: quadrangles become lines in reading order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pecia_core.document import Line, Word
from pecia_core.geometry import Polygon
from pecia_core.reading_order import arrange

from pecia_ocr.engines.base import CancelToken, Pixels, PlacedLine
from pecia_ocr.engines.rapid.detection import Quad
from pecia_ocr.engines.rapid.recognition import Reading, Recognizer
from pecia_ocr.engines.rapid.skew import levelled
from pecia_ocr.engines.rapid.strips import sides, strip, turned

_SURE_ENOUGH = 0.5  # what is read with less confidence was no text; the model's publisher's bound
_TALL = 1.5
_LINE = 3.0  # no single character is this slim


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page as received, and what reads its strips."""

    pixels: Pixels
    recognizer: Recognizer
    cancel: CancelToken

    def read(self, quad: Quad) -> Reading:
        """What stands inside `quad`, starting at its first corner."""
        return self.recognizer.read(strip(self.pixels, quad), self.cancel)

    def lines(
        self, quads: Sequence[Quad], rotation: int, known: Mapping[int, Reading]
    ) -> Iterator[PlacedLine]:
        """Each line as soon as it is read; rows and blocks without text are not counted.

        Args:
            quads: on the page turned clockwise by `rotation`.
            rotation: degrees.
            known: what has been read already, by index of its quad.
        """
        row_number = block_number = 0
        for block in arrange(levelled(quads)):
            rows_before = row_number
            for row in block:
                row_has_text = False
                for index in row:
                    quad, reading = self._best(self._received(quads[index], rotation), known.get(index))
                    if reading.text and reading.confidence >= _SURE_ENOUGH:
                        row_has_text = True
                        yield PlacedLine(self._line(quad, reading, row_number), block_number)
                row_number += row_has_text
            block_number += row_number > rows_before

    def _received(self, quad: Quad, rotation: int) -> Quad:
        """The quad on the page as received, still starting at the corner where its text starts."""
        height, width = self.pixels.shape[:2]
        return np.array(Polygon.of(quad).unrotated(rotation, width, height).pairs(), np.float32)

    def _best(self, quad: Quad, known: Reading | None) -> tuple[Quad, Reading]:
        """Text in a tall box runs up, down, or is one slim character: the surest reading wins."""
        if known is not None:
            return quad, known
        across, down = sides(quad)
        if down < _TALL * across:
            return quad, self.read(quad)
        ways = (270, 90) if down >= _LINE * across else (270, 90, 0)
        readings = [(turned(quad, way), self.read(turned(quad, way))) for way in ways]
        return max(readings, key=lambda pair: pair[1].confidence)

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
