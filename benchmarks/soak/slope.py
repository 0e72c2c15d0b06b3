"""How fast memory grows, and how sure that is: neighbours in time are alike, so blocks are resampled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_ROUNDS = 2000
_BLOCKS = 10  # a series is resampled in about so many pieces
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Slope:
    """Per unit of x, and where 95 of 100 repetitions would find it."""

    mean: float
    low: float
    high: float


def slope(series: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Slope | None:
    """The common slope of several series (x, y), each with a level of its own; None for too few points.

    The interval is a block bootstrap of the residuals: runs of a tenth of all points are drawn, so that
    slow waves are not taken for many observations.
    """
    x = np.concatenate([_centred(xs) for xs, _ in series]) if series else np.zeros(0)
    if len(x) < _FEWEST or not x.any():
        return None
    y = np.concatenate([_centred(ys) for _, ys in series])
    mean = _fit(x, y)
    residuals = y - mean * x
    dice = np.random.default_rng(20_261_121)
    found = [_fit(x, mean * x + _drawn(residuals, dice)) for _ in range(_ROUNDS)]
    low, high = np.percentile(found, [2.5, 97.5])
    return Slope(mean, float(low), float(high))


def _centred(values: Sequence[float]) -> Numbers:
    numbers = np.asarray(values, np.float64)
    return np.asarray(numbers - numbers.mean())


def _fit(x: Numbers, y: Numbers) -> float:
    return float((x @ (y - y.mean())) / (x @ x))


def _drawn(residuals: Numbers, dice: np.random.Generator) -> Numbers:
    length = max(2, len(residuals) // _BLOCKS)
    begins = dice.integers(0, len(residuals) - length + 1, -(-len(residuals) // length))
    return np.concatenate([residuals[begin : begin + length] for begin in begins])[: len(residuals)]
