"""Pages that other processes are reading at this moment, as far as Redis tells."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pecia_ocr.cache.link import RedisLink
from pecia_ocr.cache.shared import SharedStore

_LOOK_S = 0.05
# A mark outlives a process that was killed by this much, and is set again three times meanwhile.
_MARK_S = 3.0


class Elsewhere:
    """Marks the pages a worker of this process has begun, and waits for those marked by others.

    A page is marked when it is being read, not while it waits in a queue: an idle process does not wait
    for a busy one. Without Redis there is nobody else.
    """

    def __init__(self, link: RedisLink | None = None, store: SharedStore | None = None) -> None:
        """Mark over `link`; a mark goes when what `store` writes has been written."""
        self._link = link
        self._store = store
        self._marks: set[asyncio.Task[None]] = set()

    async def ended(self, name: str) -> bool:
        """Wait while another process reads the page of this name. False = none did."""
        waited = False
        while self._link and name and await self._link.ask(lambda redis: redis.exists(_key(name))):
            waited = True
            await asyncio.sleep(_LOOK_S)
        return waited

    @contextmanager
    def marked(self, name: str) -> Iterator[None]:
        """Let others know for as long as this is open. Costs no time."""
        if self._link is None or not name:
            yield
            return
        mark = asyncio.create_task(self._mark(self._link, name))
        self._marks.add(mark)
        mark.add_done_callback(self._marks.discard)
        try:
            yield
        finally:
            mark.cancel()

    async def _mark(self, link: RedisLink, name: str) -> None:
        milliseconds = int(_MARK_S * 1000)
        try:
            while True:
                await link.ask(lambda redis: redis.set(_key(name), b"", px=milliseconds))
                await asyncio.sleep(_MARK_S / 3)
        finally:
            if self._store:
                await self._store.written()
            await link.ask(lambda redis: redis.delete(_key(name)))

    async def close(self) -> None:
        """Take the marks away and disconnect."""
        for mark in self._marks:
            mark.cancel()
        await asyncio.gather(*self._marks, return_exceptions=True)
        if self._link:
            await self._link.close()


def _key(name: str) -> str:
    return f"pecia:reading:{name}"
