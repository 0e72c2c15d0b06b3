"""What can go wrong between a worker and the world, by seeded chance, at every call of SQL, blobs and RPC.

The objects a worker is made with are wrapped from outside: nothing in the product knows of this.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pecia_core.errors import EngineFailed, Overloaded, PeciaError, Unavailable
from pecia_core.recognition import Recognition, RecognizeOptions
from pecia_dispatch import Call, OcrClient
from pecia_dispatch.settings import OcrSettings
from pecia_jobs.blobs import Blobs
from pecia_jobs.database import Database
from pecia_jobs.settings import BlobSettings
from sqlalchemy.ext.asyncio import AsyncConnection


class Fault(StrEnum):
    """What may happen to one call."""

    REFUSED = "refused"  # nothing happened, and that is what is said
    CUT = "cut"  # all was sent, nothing was committed
    UNHEARD = "unheard"  # it happened, and the answer was lost
    SLOW = "slow"
    ASLEEP = "asleep"  # this worker stands still for longer than a lease, then goes on
    AWAY = "away"  # the database restarts: for everybody, and what is under way is cut
    FAILED = "failed"  # the engine failed on the page: an attempt is spent


SQL, BLOB, RPC = "sql", "blob", "rpc"
# How often each happens, among those that make sense there. Those that take long are rare.
WEIGHTS: Mapping[str, Mapping[Fault, float]] = {
    SQL: {
        Fault.REFUSED: 8,
        Fault.CUT: 8,
        Fault.UNHEARD: 10,
        Fault.SLOW: 6,
        Fault.ASLEEP: 2,
        Fault.AWAY: 0.4,
    },
    BLOB: {Fault.REFUSED: 5, Fault.UNHEARD: 5, Fault.SLOW: 3, Fault.ASLEEP: 0.7},
    RPC: {Fault.REFUSED: 5, Fault.UNHEARD: 5, Fault.SLOW: 3, Fault.FAILED: 1, Fault.ASLEEP: 0.7},
}


@dataclass(slots=True)
class Chance:
    """Draws faults until `budget` of them have happened; shared by everybody, as is `away_until`."""

    dice: random.Random
    rate: float
    budget: int
    lease_s: float
    drawn: Counter[str] = field(default_factory=Counter)
    away_until: float = 0.0

    @property
    def spent(self) -> bool:
        """Whether all faults have happened: from here on everything works."""
        return self.budget <= 0

    def draw(self, place: str, *without: Fault) -> Fault | None:
        """What happens to this call; None = nothing."""
        if self.spent or self.dice.random() >= self.rate:
            return None
        weights = {fault: weight for fault, weight in WEIGHTS[place].items() if fault not in without}
        (fault,) = self.dice.choices(list(weights), list(weights.values()))
        self.budget -= 1
        self.drawn[f"{place} {fault}"] += 1
        return fault


class Trouble:
    """One worker's way to the world."""

    def __init__(self, chance: Chance) -> None:
        """Nothing is wrong yet."""
        self.chance = chance
        self._asleep_until = 0.0

    async def before(self, fault: Fault | None) -> None:
        """Sleep, be slow. While the worker sleeps every call of it waits."""
        now = time.monotonic()
        if fault is Fault.ASLEEP:
            self._asleep_until = now + self.chance.dice.uniform(1.1, 1.6) * self.chance.lease_s
        elif fault is Fault.AWAY:
            self.chance.away_until = now + self.chance.dice.uniform(0.1, 0.5) * self.chance.lease_s
        elif fault is Fault.SLOW:
            await asyncio.sleep(self.chance.dice.uniform(0.05, 0.4))
        await self._awake()

    async def _awake(self) -> None:
        while (left := self._asleep_until - time.monotonic()) > 0:
            await asyncio.sleep(left)

    @property
    def away(self) -> bool:
        """Whether the database restarts at this moment."""
        return time.monotonic() < self.chance.away_until


class FaultyDatabase(Database):
    """Transactions that are refused, cut, slow, or committed without anybody hearing of it."""

    def __init__(self, url: str, trouble: Trouble) -> None:
        """On the same database as everybody else."""
        super().__init__(url)
        self._trouble = trouble

    def transaction(self, *, write: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        """With a fault, or without."""
        return self._troubled(write=write)

    @asynccontextmanager
    async def _troubled(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        fault = self._trouble.chance.draw(SQL)
        await self._trouble.before(fault)
        if fault is Fault.REFUSED or self._trouble.away:
            raise ConnectionRefusedError("injected: refused")
        async with super().transaction(write=write) as connection:
            yield connection
            if fault is Fault.CUT or self._trouble.away:
                raise ConnectionResetError("injected: cut before the commit")
        if fault is Fault.UNHEARD:
            raise ConnectionResetError("injected: committed, but the answer was lost")


class FaultyBlobs(Blobs):
    """Blobs that are refused, slow, or written without anybody hearing of it."""

    def __init__(self, settings: BlobSettings, trouble: Trouble) -> None:
        """In the same place as everybody else's."""
        super().__init__(settings, None if settings.url.startswith("s3://") else Path(settings.url))
        self._trouble = trouble

    async def put(self, key: str, data: bytes) -> None:
        """As `Blobs.put`."""
        async with self._troubled():
            await super().put(key, data)

    async def put_file(self, key: str, path: Path) -> None:
        """As `Blobs.put_file`."""
        async with self._troubled():
            await super().put_file(key, path)

    async def get(self, key: str) -> bytes:
        """As `Blobs.get`."""
        async with self._troubled():
            return await super().get(key)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """As `Blobs.stream`, cut after the first piece where the answer is lost."""
        async with self._troubled():
            async for piece in super().stream(key):
                yield piece

    @asynccontextmanager
    async def _troubled(self) -> AsyncIterator[None]:
        fault = self._trouble.chance.draw(BLOB)
        await self._trouble.before(fault)
        if fault is Fault.REFUSED:
            raise _blobs_away()
        yield
        if fault is Fault.UNHEARD:
            raise _blobs_away()


class FaultyClient(OcrClient):
    """Calls that are refused, slow, fail, or are answered without anybody hearing it."""

    def __init__(self, settings: OcrSettings, trouble: Trouble) -> None:
        """Of the same ocr service as everybody else."""
        super().__init__(settings)
        self._trouble = trouble

    async def recognize(self, picture: bytes, options: RecognizeOptions, call: Call) -> Recognition:
        """As `OcrClient.recognize`."""
        fault = self._trouble.chance.draw(RPC)
        await self._trouble.before(fault)
        if fault is Fault.REFUSED:
            raise Overloaded("injected: full")
        if fault is Fault.FAILED:
            raise EngineFailed("injected: failed")
        said = await super().recognize(picture, options, call)
        if fault is Fault.UNHEARD:
            raise Unavailable("injected: answered, but the answer was lost")
        return said


def _blobs_away() -> PeciaError:
    return Unavailable("injected: the blob store is away", code="store_unavailable")
