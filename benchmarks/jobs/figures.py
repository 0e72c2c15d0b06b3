"""One line of the report: what was measured, what was aimed for, what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.spread import Spread, percentile, spread


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` is an upper bound, or with `least` a lower one; None = nothing was aimed for."""

    measure: str
    found: Spread
    unit: str = ""
    goal: float | None = None
    least: bool = False
    digits: int = 0

    @property
    def reached(self) -> bool:
        """Whether the worst that was measured keeps to the goal."""
        if self.goal is None:
            return True
        return self.found.low >= self.goal if self.least else self.found.high <= self.goal

    def row(self) -> str:
        """Of the table."""
        bound = "at least" if self.least else "at most"
        aim = "" if self.goal is None else f"{bound} {self.goal:.4g} {self.unit}".rstrip()
        verdict = "" if self.goal is None else "reached" if self.reached else "**not reached**"
        shown = f"{self.found.shown(self.digits)} {self.unit}".rstrip()
        return f"| {self.measure} | {shown} | {aim} | {verdict} |"


def count(measure: str, found: float, goal: float | None = None) -> Figure:
    """Something counted."""
    return Figure(measure, Spread(found, found, found), goal=goal)


def tail_ms(measure: str, rounds: Sequence[Sequence[float]], goal: float | None = None) -> Figure:
    """The 99th percentile of seconds, in milliseconds, over rounds."""
    return Figure(measure, spread([1e3 * percentile(one, 0.99) for one in rounds]), "ms", goal, digits=1)


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    head = ["| measure | found | goal | |", "|---|---|---|---|"]
    return "\n".join([*head, *(figure.row() for figure in figures)]) + "\n"
