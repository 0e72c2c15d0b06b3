"""Waiting for what is away or full: the ocr service, the blob store, the database. No attempt is spent."""

import asyncio
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar

from pecia_core.errors import PeciaError

from pecia_worker.metrics import Metrics
from pecia_worker.verdicts import Verdict, verdict_of

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
# Seconds between two tries: soon at first, never so rarely that a service that is back stands idle.
_FIRST_S = 0.1
_LONGEST_S = 5.0
_MOST_DOUBLINGS = 10
_LOADING = "model_loading"


class Draining(Exception):
    """The worker is stopping: a page that would wait is given back instead."""


class GivesWay(Exception):
    """The model is being loaded, which may take a quarter of an hour: other pages need not wait behind it.

    The page is given back, and taken again in `seconds`.
    """

    def __init__(self, seconds: float) -> None:
        """Remember when."""
        super().__init__()
        self.seconds = seconds


class Patience:
    """Repeats what failed through no fault of the page."""

    def __init__(
        self,
        metrics: Metrics,
        most_s: float,
        stopping: asyncio.Event | None = None,
        *,
        loading_s: float = math.inf,
    ) -> None:
        """Nobody waits yet.

        Args:
            metrics: count the waits.
            most_s: seconds one wait may take; then the failure counts as the page's.
            stopping: ends every wait at once; None = nothing does.
            loading_s: seconds a wait for a model that is being loaded may take.
        """
        self._metrics = metrics
        self._most_s = most_s
        self._stopping = stopping or asyncio.Event()
        self._loading_s = loading_s
        self._waiting: Counter[str] = Counter()

    async def through(self, what: str, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """The answer of the first attempt that is not turned away.

        Args:
            what: who is waited for, in a word or two, for the log and the metrics.
            attempt: called anew each time.

        Raises:
            PeciaError: waiting does not mend it, or did not in time.
            Draining: the worker stops.
            GivesWay: it waits for a model that is being loaded, and others wait for the place it holds.
        """
        began, tries = time.monotonic(), 0
        with ExitStack() as waiting:
            while True:
                try:
                    return await attempt()
                except PeciaError as error:
                    waited = time.monotonic() - began
                    if error.code == _LOADING and waited >= self._loading_s:
                        raise GivesWay(max(error.retry_after or 0.0, _LONGEST_S)) from error
                    late = waited > self._most_s
                    if late or verdict_of(error) is not Verdict.WAIT:
                        raise
                    if not tries:
                        waiting.enter_context(self._counted(what, error.code))
                    await self._pause(error, tries)
                tries += 1

    @contextmanager
    def _counted(self, what: str, code: str) -> Iterator[None]:
        """The first that waits says so in the log, and the last that no longer has to: not every page."""
        if not self._waiting[what]:
            _log.warning("waiting", extra={"what": what, "code": code})
        self._waiting[what] += 1
        self._metrics.waits.labels(what, code).inc()
        try:
            yield
        finally:
            self._waiting[what] -= 1
            if not self._waiting[what]:
                _log.info("no longer waiting", extra={"what": what})

    async def _pause(self, error: PeciaError, tries: int) -> None:
        pause = max(_FIRST_S * 2.0 ** min(tries, _MOST_DOUBLINGS), error.retry_after or 0.0)
        seconds = min(pause, _LONGEST_S) * random.uniform(0.7, 1.0)  # noqa: S311 - spread, no secret
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        if self._stopping.is_set():
            raise Draining
