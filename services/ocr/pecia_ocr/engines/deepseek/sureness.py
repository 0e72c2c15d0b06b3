"""How sure the model was of what it wrote: probabilities of tokens, asked for by place in the text."""

from bisect import bisect_left, bisect_right
from math import exp


class Sureness:
    """Follows one answer. Places are characters of what the model wrote, marks included."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._ends: list[int] = [0]
        self._sums: list[float] = [0.0]

    def add(self, characters: int, logprob: float) -> None:
        """One more token: how many characters came with it, and the natural logarithm of its probability."""
        self._ends.append(self._ends[-1] + characters)
        self._sums.append(self._sums[-1] + logprob)

    def between(self, begin: int, end: int) -> float | None:
        """The geometric mean probability of the tokens that wrote these characters; None = no token did."""
        first = bisect_right(self._ends, begin) - 1
        last = min(bisect_left(self._ends, end), len(self._ends) - 1)
        if last <= first:
            return None
        return min(1.0, exp((self._sums[last] - self._sums[first]) / (last - first)))
