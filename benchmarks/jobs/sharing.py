"""Whether tenants get their share, and never more than they may: pages of a fixed length, real claims."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, JobState, Lease
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job

_PAGE_S = 0.05
_SLOTS = 12


@dataclass(frozen=True, slots=True)
class Shares:
    """`most` = pages of each tenant at once, at the most; `read` = pages of each while all had some."""

    most: dict[str, int]
    read: dict[str, int]
    small_done_s: float
    all_done_s: float


def jain(shares: Sequence[float]) -> float:
    """Jain's index: 1.0 = all equal, 1/n = one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


async def shared(url: str, number: int = 0) -> Shares:
    """Five tenants: one may have three pages at once, three are equals, one comes last with a receipt.

    `number` keeps the jobs of several runs on one database apart.
    """
    database = Database(url)
    await database.migrate()
    store, leases = Store(database), Leases(database)
    await store.set_tenant("limited", max_running=3)
    pages = {"limited": 120, "anna": 150, "budi": 150, "citra": 150, "receipt": 1}
    for place, (tenant, count) in enumerate(pages.items()):
        await store.create(sample_job(number * len(pages) + place, count, tenant=tenant))
    room = _Room(leases, dict(pages))
    await asyncio.gather(*(room.slot(f"s{slot}") for slot in range(_SLOTS)))
    await database.close()
    return Shares(dict(room.most), room.read_together, room.ended["receipt"], max(room.ended.values()))


class _Room:
    """Slots that read pages, and what they have of whom at each moment."""

    def __init__(self, leases: Leases, left: dict[str, int]) -> None:
        self._leases = leases
        self._left = left
        self._now: Counter[str] = Counter()
        self._equals = [name for name, pages in left.items() if pages == max(left.values())]
        self._began = time.monotonic()
        self.most: Counter[str] = Counter()
        self.read_together: dict[str, int] = {}
        self.ended: dict[str, float] = {}
        self._all = dict(left)

    async def slot(self, name: str) -> None:
        """One page after the other, until there are none."""
        while any(self._left.values()) or len(self.ended) < len(self._all):
            found = await self._leases.claim(name, 1)
            if not found:
                await asyncio.sleep(_PAGE_S / 5)
            for lease in found:
                await self._read(lease)

    async def _read(self, lease: Lease) -> None:
        if lease.number == ASSEMBLY:
            await self._leases.finish(lease, JobState.DONE)
            self.ended[lease.tenant] = time.monotonic() - self._began
            return
        self._now[lease.tenant] += 1
        self.most[lease.tenant] = max(self.most[lease.tenant], self._now[lease.tenant])
        await asyncio.sleep(_PAGE_S)
        self._now[lease.tenant] -= 1
        await self._leases.record([result_of(lease)])
        self._left[lease.tenant] -= 1
        if not self.read_together and self._left[lease.tenant] == 0 and lease.tenant in self._equals:
            self.read_together = {name: self._all[name] - self._left[name] for name in self._equals}
