"""When each key was used last: noted in memory, written to the database now and then, beside all requests."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from pecia_core.errors import PeciaError
from pecia_jobs.key_uses import KeyUses

_log = logging.getLogger(__name__)
# Seconds between writings: what a gateway that is killed may forget.
_EVERY_S = 30.0
# Who else lets callers in by the same keys, and when.
Elsewhere = Callable[[], Awaitable[Mapping[str, float]]]


class KeyUse:
    """Keeps the moments. Without a database they are known to this process alone."""

    def __init__(self, kept: KeyUses | None, check: Callable[[], None] = lambda: None) -> None:
        """Nothing was used yet. `check` raises PeciaError until `kept` can be asked."""
        self._kept = kept
        self._check = check
        self._new: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._writing: asyncio.Task[None] | None = None

    def learn(self, used: Mapping[str, float]) -> None:
        """Keys were used elsewhere, at these moments; an older one than is known changes nothing."""
        later = {key: moment for key, moment in used.items() if moment > self._seen.get(key, 0.0)}
        self._new |= later
        self._seen |= later

    def note(self, key_id: str) -> None:
        """A key was used now. "" = there are no keys."""
        if key_id:
            self._new[key_id] = self._seen[key_id] = time.time()

    def open(self, elsewhere: Elsewhere | None = None) -> None:
        """Begin to write. `elsewhere` is asked before, where the same keys are used; None = nobody else."""
        if self._kept is not None:
            self._writing = asyncio.create_task(self._write_on(elsewhere), name="when keys were used")

    async def all(self) -> Mapping[str, float]:
        """Key id -> seconds since 1970; while the database is away only what this gateway has seen."""
        known: dict[str, float] = {}
        if self._kept is not None:
            with suppress(PeciaError):
                self._check()
                known = dict(await self._kept.all())
        return known | {key: max(moment, known.get(key, 0.0)) for key, moment in self._seen.items()}

    async def close(self) -> None:
        """Write what is new, once."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            with suppress(PeciaError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._write()

    async def _write_on(self, elsewhere: Elsewhere | None) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                if elsewhere is not None:
                    self.learn(await elsewhere())
                await self._write()
            except PeciaError:
                _log.warning("when keys were used cannot be written now")

    async def _write(self) -> None:
        new, self._new = self._new, {}
        if not new or self._kept is None:
            return
        try:
            self._check()
            await self._kept.add(new)
        except BaseException:
            self._new = new | self._new
            raise
