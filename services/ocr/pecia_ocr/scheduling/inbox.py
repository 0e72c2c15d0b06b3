"""What a worker says of one page, while it speaks of several."""

import asyncio
from collections.abc import AsyncIterator

from pecia_core.errors import PeciaError, Unavailable, from_code

from pecia_ocr.scheduling import frames

# After these a worker says no more of a page.
_ENDS = PeciaError | frames.Failed | frames.Done | frames.AllDone | frames.Stopped


class WorkerGone(Unavailable):
    """The process ended; another one takes its place.

    `beside`: other pages it was reading then. With none, this page is what it ended from.
    """

    def __init__(self, message: str, beside: int = 0) -> None:
        """Say what happened."""
        super().__init__(message)
        self.beside = beside


class Inbox:
    """Frames of one page, in the order they came."""

    def __init__(self) -> None:
        """Empty."""
        self._queue: asyncio.Queue[frames.FromWorker | PeciaError] = asyncio.Queue()
        self.ended = False

    def put(self, said: frames.FromWorker | PeciaError) -> None:
        """A frame; or the error that ends all pages of the worker."""
        self._queue.put_nowait(said)

    async def frames(self) -> AsyncIterator[frames.FromWorker]:
        """Frames until the page has ended, in Done, AllDone or Stopped.

        Raises:
            PeciaError: the page cannot be read, or its worker is gone.
        """
        while not self.ended:
            said = await self._queue.get()
            self.ended = isinstance(said, _ENDS)
            if isinstance(said, PeciaError):
                raise said
            if isinstance(said, frames.Failed):
                raise from_code(said.code, said.message, param=said.param)
            yield said
