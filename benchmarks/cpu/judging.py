"""Whether a line was read right, whoever read it, and however the truth is cut into lines.

A line of a reading is held against the lines of the truth that stand in its row (they overlap by more
than half of the lower height) and that it touches. Those it covers to four fifths of their width it has to
say exactly, from left to right. Where it covers none so far, it has to be a part of the one it overlaps
most. Spaces do not count, nor what scoring forgives. A line that touches no truth is not judged.
"""

from collections.abc import Sequence

from benchmarks.cpu.crew import Reading, ReadLine
from benchmarks.quality.scoring import Placed, normalised

SURE = 0.9
_COVERED = 0.8
# Their truths' boxes are those of the picture before it was turned or bent.
UNPLACED_KINDS = {"degraded"}

# Confidence, and whether the line was right.
Judged = tuple[float, bool]


def judged(reading: Reading, truth: Sequence[Placed]) -> list[Judged]:
    """Every line of a reading that has a confidence and touches a truth."""
    verdicts = ((line.confidence, _right(line, truth)) for line in reading)
    return [(sure, right) for sure, right in verdicts if sure is not None and right is not None]


def silent_errors(lines: Sequence[Judged]) -> int:
    """Wrong lines that claim to be sure."""
    return sum(sure > SURE and not right for sure, right in lines)


def _right(line: ReadLine, truth: Sequence[Placed]) -> bool | None:
    said = _bare(line.placed.text)
    beside = [piece for piece in truth if _same_row(line.placed, piece) and _shared(line.placed, piece) > 0]
    if not beside or not said:
        return None
    covered = [piece for piece in beside if _shared(line.placed, piece) >= _COVERED * (piece.x1 - piece.x0)]
    if covered:
        return said == "".join(_bare(piece.text) for piece in sorted(covered, key=lambda piece: piece.x0))
    return said in _bare(max(beside, key=lambda piece: _shared(line.placed, piece)).text)


def _same_row(one: Placed, other: Placed) -> bool:
    overlap = min(one.y1, other.y1) - max(one.y0, other.y0)
    return overlap > 0.5 * min(one.y1 - one.y0, other.y1 - other.y0)


def _shared(one: Placed, other: Placed) -> float:
    return min(one.x1, other.x1) - max(one.x0, other.x0)


def _bare(text: str) -> str:
    return normalised(text).replace(" ", "")
