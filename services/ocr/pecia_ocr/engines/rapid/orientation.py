"""Which way up the page stands: a few lines are read, and read again turned, until one way is sure.

Decided for the page, not for the line: a classifier that looks at one line alone turns upright
lines around often enough to ruin a page.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pecia_ocr.engines.rapid.quads import Quad, sides, turned
from pecia_ocr.engines.rapid.recognition import Reading

_VOTERS = 5
# Measured on receipts, pages, scans and photos in four positions: nearly every page is read with more
# than 0.93 the right way up, none with more than 0.8 the wrong way. Only a word like NOON is sure both ways.
_SURE = 0.9
_MARGIN = 0.1
_ELONGATED = 1.5
_LINE = 3.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Degrees clockwise to turn the page, and what the voters already said, by index, that way up."""

    rotation: int
    readings: dict[int, Reading] = field(default_factory=dict)


def vote(quads: Sequence[Quad], read: Callable[[Sequence[Quad]], Iterable[Reading]]) -> Verdict:
    """Decide among 0, 90, 180 and 270 degrees.

    Args:
        quads: the text found on the page as received.
        read: reads some of them, each starting at its first corner.
    """
    sideways = _sideways(quads)
    voters = _voters(quads, sideways=sideways)

    def ask(rotation: int) -> Verdict:
        readings = read([turned(quads[index], rotation) for index in voters])
        return Verdict(rotation, dict(zip(voters, readings, strict=True)))

    first = ask(90 if sideways else 0)
    if not voters or _certainty(first) >= _SURE:
        return first
    second = ask(first.rotation + 180)
    # An upright page is the rule: it takes evidence to turn one upside down.
    margin = 0.0 if sideways else _MARGIN
    return second if _certainty(second) > _certainty(first) + margin else first


def _sideways(quads: Sequence[Quad]) -> bool:
    """Whether more text runs up or down than across, by length; a slim letter is no line."""
    wide = tall = steepest = 0.0
    for across, down in map(sides, quads):
        if across >= _ELONGATED * down:
            wide += across
        elif down >= _ELONGATED * across:
            tall += down
            steepest = max(steepest, down / max(across, 1.0))
    return tall > wide and steepest >= _LINE


def _voters(quads: Sequence[Quad], *, sideways: bool) -> list[int]:
    """Lines of middling length: long enough to be sure of, short enough to be cheap."""
    lengths = [sides(quad)[1 if sideways else 0] for quad in quads]
    along = [index for index, quad in enumerate(quads) if max(sides(quad)) == lengths[index]]
    along.sort(key=lambda index: lengths[index])
    begin = max(0, min(len(along) // 2 - _VOTERS // 2, len(along) - _VOTERS))
    return along[begin : begin + _VOTERS]


def _certainty(verdict: Verdict) -> float:
    """Mean confidence, each line weighing as much as it has characters."""
    readings = verdict.readings.values()
    characters = sum(len(reading.text) for reading in readings)
    return sum(reading.confidence * len(reading.text) for reading in readings) / max(1, characters)
