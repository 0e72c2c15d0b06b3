"""Whether confidences mean what they say: of the lines read with 0.9, nine of ten should be right."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.cpu.judging import Judged

_BINS = 10


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the lines, from the least to the most confident: mean confidence, share of right ones."""

    lines: int
    confidence: float
    right: float


def deciles(lines: Sequence[Judged]) -> list[Decile]:
    """Ten groups of the same size, to a line; fewer where there are fewer lines."""
    ordered = sorted(lines)
    edges = [round(len(ordered) * part / _BINS) for part in range(_BINS + 1)]
    groups = (ordered[low:high] for low, high in pairwise(edges) if high > low)
    return [
        Decile(
            len(group), sum(sure for sure, _ in group) / len(group), sum(ok for _, ok in group) / len(group)
        )
        for group in groups
    ]


def expected_error(found: Sequence[Decile]) -> float:
    """ECE: how far confidence and share of right lines are apart, weighted by lines; 0 is best."""
    total = sum(decile.lines for decile in found)
    return sum(decile.lines * abs(decile.confidence - decile.right) for decile in found) / max(1, total)
