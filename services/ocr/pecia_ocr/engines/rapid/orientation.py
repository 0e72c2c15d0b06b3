"""Which way up the page stands: a few lines are read both ways and the more certain way wins.

Decided for the page, not for the line: a classifier that looks at one line alone turns upright
lines around often enough to ruin a page.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pecia_ocr.engines.rapid.detection import Quad
from pecia_ocr.engines.rapid.recognition import Reading
from pecia_ocr.engines.rapid.strips import sides, turned

_VOTERS = 5
_MARGIN = 0.02
_ELONGATED = 1.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Degrees clockwise to turn the page, and what the voters already said, by index, that way up."""

    rotation: int
    readings: dict[int, Reading] = field(default_factory=dict)


def vote(quads: Sequence[Quad], read: Callable[[Quad], Reading]) -> Verdict:
    """Decide among 0, 90, 180 and 270 degrees.

    Args:
        quads: the text found on the page as received.
        read: reads one of them, starting at its first corner.
    """
    sideways = _sideways(quads)
    voters = _voters(quads, sideways=sideways)
    first, second = (90, 270) if sideways else (0, 180)
    readings = {
        rotation: {index: read(turned(quads[index], rotation)) for index in voters}
        for rotation in (first, second)
    }
    # An upright page is the rule: it takes evidence to turn one.
    margin = 0.0 if sideways else _MARGIN
    ahead = _certainty(readings[second].values()) - _certainty(readings[first].values())
    winner = second if ahead > margin else first
    return Verdict(winner, readings[winner])


def _sideways(quads: Sequence[Quad]) -> bool:
    """Whether more text runs up or down than across, by length."""
    wide = tall = 0.0
    for across, down in map(sides, quads):
        if across >= _ELONGATED * down:
            wide += across
        elif down >= _ELONGATED * across:
            tall += down
    return tall > wide


def _voters(quads: Sequence[Quad], *, sideways: bool) -> list[int]:
    """Lines of middling length: long enough to be sure of, short enough to be cheap."""
    lengths = [sides(quad)[1 if sideways else 0] for quad in quads]
    along = [index for index, quad in enumerate(quads) if max(sides(quad)) == lengths[index]]
    along.sort(key=lambda index: lengths[index])
    begin = max(0, min(len(along) // 2 - _VOTERS // 2, len(along) - _VOTERS))
    return along[begin : begin + _VOTERS]


def _certainty(readings: Iterable[Reading]) -> float:
    """Mean confidence, each line weighing as much as it has characters."""
    listed = list(readings)
    characters = sum(len(reading.text) for reading in listed)
    if not characters:
        return 0.0
    return sum(reading.confidence * len(reading.text) for reading in listed) / characters
