"""Medians with their spread, and ratios taken pair by pair, so that a slow minute slows both sides."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some measurements, the least and the largest."""

    median: float
    low: float
    high: float

    def shown(self, digits: int = 2) -> str:
        """`1.50 (1.40-1.70)`; one measurement has no spread."""
        middle = f"{self.median:.{digits}f}"
        if self.low == self.high:
            return middle
        return f"{middle} ({self.low:.{digits}f}-{self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """Of at least one measurement."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(first: Sequence[float], second: Sequence[float]) -> Spread:
    """First by second, measurement by measurement: those of one round belong together."""
    return spread([one / other for one, other in zip(first, second, strict=True)])


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0 to 1) of all values lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
