"""How much the scheduler gets done."""

from collections import deque
from dataclasses import dataclass
from time import monotonic

_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """What the scheduler does now.

    `running` has slots, `waiting` has none. `tokens_per_second` over the last five seconds. `batch_fill`:
    of the rows computed in that time, the part that belonged to somebody, 0 to 1. `tokens`: since the start.
    """

    running: int
    waiting: int
    tokens_per_second: float
    batch_fill: float
    tokens: int


class Pace:
    """Counts tokens and rows of the last seconds. Written by one thread, read by any."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self._steps: deque[tuple[float, int, int]] = deque(((monotonic(), 0, 0),))
        self.tokens = 0

    def note(self, tokens: int, rows: int) -> None:
        """A step has computed so many rows, of which so many were somebody's token."""
        now = monotonic()
        self._steps.append((now, tokens, rows))
        self.tokens += tokens
        while self._steps[0][0] < now - _SECONDS:
            self._steps.popleft()

    def stats(self, running: int, waiting: int) -> SchedulerStats:
        """The last seconds, up to this moment."""
        now = monotonic()
        recent = [step for step in self._steps.copy() if step[0] >= now - _SECONDS]
        tokens, rows = sum(step[1] for step in recent), sum(step[2] for step in recent)
        seconds = max(now - recent[0][0], 1e-3) if recent else _SECONDS
        return SchedulerStats(running, waiting, tokens / seconds, tokens / rows if rows else 0.0, self.tokens)
