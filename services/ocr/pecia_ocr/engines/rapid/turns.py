"""Whose turn it is to compute: a process has one core's worth, and several pages."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from pecia_ocr.engines.base import CancelToken

_LOOK_S = 0.02


class Turns:
    """A lock that is handed on in the order of asking, so that a long page does not keep a short one out."""

    def __init__(self) -> None:
        """Nobody computes."""
        self._changed = Condition()
        self._queue: deque[object] = deque()

    @property
    def length(self) -> int:
        """Who computes, and all who wait."""
        return len(self._queue)

    @contextmanager
    def mine(self, cancel: CancelToken) -> Iterator[None]:
        """Wait for the turn and hold it.

        Raises:
            Interrupted: cancelled while waiting.
        """
        place = object()
        with self._changed:
            self._queue.append(place)
        try:
            self._wait(place, cancel)
            yield
        finally:
            with self._changed:
                self._queue.remove(place)
                self._changed.notify_all()

    def _wait(self, place: object, cancel: CancelToken) -> None:
        with self._changed:
            while self._queue[0] is not place:
                cancel.check()
                self._changed.wait(_LOOK_S)
        cancel.check()
