"""Which way up a page is, decided from what a few lines say."""

from collections.abc import Sequence

import numpy as np
import pytest
from pecia_ocr.engines.rapid.orientation import vote
from pecia_ocr.engines.rapid.quads import Quad
from pecia_ocr.engines.rapid.recognition import Reading


def quad(left: float, top: float, width: float, height: float) -> Quad:
    """An upright box."""
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


LINES = [quad(10, 40 * row, 100 + 30 * row, 20) for row in range(9)]
SIDEWAYS = [quad(40 * row, 10, 20, 100 + 30 * row) for row in range(9)]


class Reader:
    """Reads well what starts at the corner where text starts, and counts what it is asked."""

    def __init__(self, corner: int, certainty: float = 0.98, otherwise: float = 0.7) -> None:
        """`corner`: of the upright box, clockwise from the top left, at which text begins."""
        self.corner = corner
        self.certainty = certainty
        self.otherwise = otherwise
        self.asked = 0

    def __call__(self, quads: Sequence[Quad]) -> list[Reading]:
        """Certain or less so."""
        self.asked += len(quads)
        return [self._one(quad) for quad in quads]

    def _one(self, asked: Quad) -> Reading:
        centre = asked.mean(0)
        signs = [(-1, -1), (1, -1), (1, 1), (-1, 1)][self.corner]
        right = (np.sign(asked[0] - centre) == signs).all()
        return Reading("twelve chars", self.certainty if right else self.otherwise)


@pytest.mark.parametrize(
    ("lines", "corner", "rotation"), [(LINES, 0, 0), (LINES, 2, 180), (SIDEWAYS, 3, 90), (SIDEWAYS, 1, 270)]
)
def test_finds_the_turn(lines: list[Quad], corner: int, rotation: int) -> None:
    """Where the text starts says by how much the page is to be turned."""
    assert vote(lines, Reader(corner)).rotation == rotation


def test_asks_only_once_when_the_first_answer_is_sure() -> None:
    """An upright page costs nothing more than five lines it has to read anyhow."""
    reader = Reader(0)
    verdict = vote(LINES, reader)
    assert reader.asked == 5
    assert len(verdict.readings) == 5


def test_keeps_what_it_read_that_way_up() -> None:
    """The readings belong to the winning way, under the index of their line."""
    verdict = vote(LINES, Reader(2))
    assert set(verdict.readings) <= set(range(len(LINES)))
    assert {reading.confidence for reading in verdict.readings.values()} == {0.98}


def test_little_evidence_turns_no_page_upside_down() -> None:
    """A poor scan whose lines read a little better upside down stays as it is."""
    assert vote(LINES, Reader(2, certainty=0.75, otherwise=0.7)).rotation == 0


def test_a_page_without_text_stays_as_it_is() -> None:
    """There is nothing to ask."""
    assert vote([], Reader(0)).rotation == 0


def test_a_slim_letter_is_no_sideways_line() -> None:
    """A picture of one high digit is not turned on its side."""
    assert vote([quad(0, 0, 20, 40)], Reader(0)).rotation == 0


def test_one_note_up_the_margin_does_not_turn_the_page() -> None:
    """The greater length decides."""
    assert vote([*LINES, quad(0, 0, 20, 300)], Reader(0)).rotation == 0


def test_voters_lie_in_the_direction_of_the_page() -> None:
    """Square and crossing boxes are not asked."""
    seen: list[Quad] = []
    reader = Reader(0)

    def remembering(quads: Sequence[Quad]) -> list[Reading]:
        seen.extend(quads)
        return reader(quads)

    vote([*LINES, quad(0, 0, 20, 300)], remembering)
    assert len(seen) == 5
    assert all(np.ptp(asked[:, 0]) > np.ptp(asked[:, 1]) for asked in seen)
