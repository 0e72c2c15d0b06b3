"""A job followed on a thread of its own, so that looking at it costs the gateway nothing.

The page looks every second. The thread holds one connection on which the gateway tells what changes, and
ends when the job does, or when nobody has looked for a while: a browser that is closed says no goodbye.
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from pecia_ui.errors import UiError
from pecia_ui.job_calls import JobCalls
from pecia_ui.jobs import Job, JobEvent, JobPage

_UNSEEN_S = 30.0
_LOOK_S = 0.5
_WAITS_S = (0.5, 1.0, 2.0, 5.0)
_TOO_MANY = 429
_ASK_EVERY_S = 3.0
_RETRYABLE = frozenset({0, 408, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known now. `pages` are those that ended; `error` = the gateway does not answer."""

    job: Job | None = None
    pages: Mapping[int, JobPage] = field(default_factory=dict)
    error: UiError | None = None
    newest: int = 0

    @property
    def live(self) -> bool:
        """Whether it may change by itself."""
        return (self.job is None or not self.job.ended) and (
            self.error is None or self.error.status in _RETRYABLE
        )


class Follower:
    """Follows one job. Look with `snapshot`, from any thread."""

    def __init__(self, calls: JobCalls, job_id: str) -> None:
        """Nothing is asked before the first look."""
        self.job_id = job_id
        self._calls = calls
        self._lock = threading.Condition()
        self._known = Snapshot()
        self._pages: dict[int, JobPage] = {}
        self._after = 0
        self._seen = 0.0
        self._thread: threading.Thread | None = None

    def snapshot(self, patience_s: float = 5.0) -> Snapshot:
        """What is known; at the first look waits up to `patience_s` for the gateway's word."""
        with self._lock:
            self._seen = time.monotonic()
            if self._thread is None and self._known.live:
                self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
                self._thread.start()
            self._lock.wait_for(lambda: self._known.job or self._known.error, timeout=patience_s)
            return self._known

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        finally:
            with self._lock:
                self._thread = None

    async def _follow(self) -> None:
        listening = asyncio.create_task(self._listen())
        while not listening.done() and time.monotonic() - self._seen < _UNSEEN_S:
            await asyncio.wait({listening}, timeout=_LOOK_S)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self) -> None:
        misses = 0
        while self._known.live:
            try:
                async with aclosing(self._calls.events(self.job_id, self._after)) as events:
                    async for event in events:
                        misses = 0
                        self._take(event)
            except UiError as error:
                if error.status == _TOO_MANY and await self._asked():
                    await asyncio.sleep(_ASK_EVERY_S)
                    continue
                self._set(Snapshot(self._known.job, self._known.pages, error, self._known.newest))
            await asyncio.sleep(_WAITS_S[min(misses, len(_WAITS_S) - 1)])
            misses += 1

    async def _asked(self) -> bool:
        """Look once, because too many already listen as this visitor; whether that went well."""
        try:
            job, pages = await self._calls.job(self.job_id), await self._calls.pages(self.job_id)
        except UiError:
            return False
        self._pages |= {page.number: page for page in pages if page.status in {"done", "failed"}}
        done = [number for number, page in self._pages.items() if page.status == "done"]
        self._set(Snapshot(job, dict(self._pages), None, max(done, default=0)))
        return True

    def _take(self, event: JobEvent) -> None:
        self._after = max(self._after, event.seq)
        newest = self._known.newest
        if event.page:
            self._pages[event.page.number] = event.page
            newest = event.page.number if event.page.status == "done" else newest
        # An end without a number is told before the pages that led to it: the page would look no more.
        if event.job and (event.seq or not event.job.ended):
            self._set(Snapshot(event.job, dict(self._pages), None, newest))
        else:
            self._known = Snapshot(self._known.job, self._known.pages, self._known.error, newest)

    def _set(self, known: Snapshot) -> None:
        with self._lock:
            self._known = known
            self._lock.notify_all()
