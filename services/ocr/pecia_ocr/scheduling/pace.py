"""How fast pages are read here, measured: what waits and retries are computed from."""

from collections import deque
from collections.abc import Callable
from time import monotonic

_WINDOW_S = 300.0
_FIRST_GUESS_S = 2.0


class Pace:
    """Page durations of the last minutes."""

    def __init__(self, slots: int, clock: Callable[[], float] = monotonic) -> None:
        """Nothing is measured yet: a page is guessed to take two seconds."""
        self._slots = slots
        self._clock = clock
        self._pages: deque[tuple[float, float]] = deque(maxlen=1000)

    def record(self, seconds: float) -> None:
        """A page took this long in its worker."""
        self._pages.append((self._clock(), seconds))

    @property
    def seconds_a_page(self) -> float:
        """Mean over the last five minutes."""
        self._forget()
        if not self._pages:
            return _FIRST_GUESS_S
        return sum(seconds for _, seconds in self._pages) / len(self._pages)

    @property
    def pages_per_second(self) -> float:
        """What all slots together can read; 0 before the first page."""
        self._forget()
        if not self._pages:
            return 0.0
        return self._slots / max(self.seconds_a_page, 1e-6)

    def wait_s(self, pages_ahead: int) -> float:
        """Seconds until a page with this many before it is begun."""
        return pages_ahead * self.seconds_a_page / self._slots

    def _forget(self) -> None:
        oldest = self._clock() - _WINDOW_S
        while self._pages and self._pages[0][0] < oldest:
            self._pages.popleft()
