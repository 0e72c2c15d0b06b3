"""Models that should be looked at: each by one at a time, again after a failure, later and later."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from pecia_core.errors import PeciaError

_log = logging.getLogger(__name__)
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 120.0
_DOUBLINGS = 10


class WaitingLine:
    """Names, each at most once. Adding one that is being handled has it handled once more."""

    def __init__(self, at_once: int = 4) -> None:
        """Nobody waits.

        Args:
            at_once: how many different models are handled side by side.
        """
        self._due: dict[str, float] = {}
        self._handled: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._at_once = at_once

    def add(self, name: str, after_s: float = 0.0) -> None:
        """Have a model looked at, soon or in some seconds; the earlier of two wishes counts."""
        due = asyncio.get_running_loop().time() + after_s
        self._due[name] = min(due, self._due.get(name, due))
        self._changed.set()

    async def run(self, handle: Callable[[str], Awaitable[None]]) -> None:
        """Handle whoever comes, until cancelled; then whatever is being handled is cancelled too."""
        try:
            while True:
                self._changed.clear()
                wait = self._start(handle)
                try:
                    await asyncio.wait_for(self._changed.wait(), wait)
                except TimeoutError:
                    continue
        finally:
            for task in self._handled.values():
                task.cancel()
            await asyncio.gather(*self._handled.values(), return_exceptions=True)
            self._handled.clear()

    def _start(self, handle: Callable[[str], Awaitable[None]]) -> float | None:
        """Begin with all who are due; seconds until the next one is, None = nobody waits."""
        now = asyncio.get_running_loop().time()
        for name, due in sorted(self._due.items(), key=lambda item: item[1]):
            if name in self._handled or len(self._handled) >= self._at_once:
                continue
            if due > now:
                return due - now
            del self._due[name]
            self._handled[name] = asyncio.create_task(self._handle(name, handle))
        return None

    async def _handle(self, name: str, handle: Callable[[str], Awaitable[None]]) -> None:
        try:
            await handle(name)
            self._failures.pop(name, None)
        except PeciaError as error:
            self._again(name, error.message)
        except Exception:  # noqa: BLE001  one model's trouble is not the others'
            _log.exception("Reconciliation failed unforeseen", extra={"model": name})
            self._again(name, "unforeseen")
        finally:
            self._handled.pop(name, None)
            self._changed.set()

    def _again(self, name: str, why: str) -> None:
        """Wait twice as long as the last time, and a little by chance, so that many do not come at once."""
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures - 1, _DOUBLINGS))
        wait_s *= random.uniform(0.5, 1.0)  # noqa: S311  not a secret
        _log.warning(
            "Reconciliation failed", extra={"model": name, "reason": why, "again_s": round(wait_s, 1)}
        )
        self.add(name, wait_s)
