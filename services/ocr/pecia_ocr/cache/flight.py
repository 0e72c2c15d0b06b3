"""One reading of a page for everybody who wants it at the same moment."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from copy import copy

from pecia_core.errors import DeadlineExceeded, PeciaError, Unavailable
from pecia_core.recognition import Event, Recognition


class Flight:
    """A page being read in a task of its own, and what has been said of it so far.

    Whoever is aboard hears every event from the first. Nobody owns the flight: it goes on while anybody
    is aboard, and is given up when the last one leaves before its end.
    """

    def __init__(
        self, events: AsyncGenerator[Event, None], timeout_s: float, on_end: Callable[["Flight"], None]
    ) -> None:
        """Begin to read, with the next turn of the loop.

        Args:
            events: the reading; closed in whatever way the flight ends.
            timeout_s: seconds it may take, so that a page nobody can read is not waited for in turns.
            on_end: called once, when it is over or given up: nobody may come aboard any more.
        """
        self._told: list[Event] = []
        self._aboard = 0
        self._landed = False  # it has its result, or has ended without
        self._over = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        self._on_end: Callable[[Flight], None] | None = on_end
        self.task = asyncio.create_task(self._run(events, timeout_s))
        self.task.add_done_callback(self._ended)

    @asynccontextmanager
    async def aboard(self) -> AsyncIterator[None]:
        """Want the page for as long as this is open. The last one to leave waits until its worker is free."""
        self._aboard += 1
        try:
            yield
        finally:
            self._aboard -= 1
            if not self._aboard and not self._landed:
                self._close()
                self.task.cancel()
                await asyncio.wait({self.task})

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything said of the page, from the beginning, live where it has not been said yet.

        Raises:
            PeciaError: what went wrong, as an error of this caller's own.
        """
        heard = 0
        while True:
            while heard < len(self._told):
                heard += 1
                yield self._told[heard - 1]
            if self._over:
                break
            await self._news.wait()
        if self._error is not None:
            raise _own(self._error)

    async def _run(self, events: AsyncGenerator[Event, None], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s), aclosing(events):
                async for event in events:
                    self._tell(event)
        except TimeoutError:
            self._error = DeadlineExceeded("The page was not read in the time that one may take.")
        except Exception as error:  # noqa: BLE001 - whatever it was, those aboard are told
            self._error = error

    def _tell(self, event: Event) -> None:
        self._told.append(event)
        if isinstance(event, Recognition):
            self._landed = True
            self._close()
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _close(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Also of a task that was cancelled before it had begun, when nothing of `_run` was run."""
        if task.cancelled():
            self._error = Unavailable("Reading this page was given up.", code="draining", retry_after=1.0)
        self._landed = self._over = True
        self._close()
        self._wake()


def _own(error: BaseException) -> BaseException:
    """A copy: what one caller's way out adds to an error is not for the others."""
    if not isinstance(error, PeciaError):
        return error
    own = copy(error)
    own.__cause__ = error
    return own
