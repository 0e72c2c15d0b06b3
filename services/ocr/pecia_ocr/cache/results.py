"""The result cache: under which name a page's result is kept, whether there is one, and keeping a new one."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from pecia_core.recognition import Recognition
from prometheus_client import CollectorRegistry, Counter

from pecia_ocr.cache.control import CacheControl
from pecia_ocr.cache.entry import decoded, encoded, worth_keeping
from pecia_ocr.cache.key import key_of, repeatable, tenant_mark
from pecia_ocr.cache.store import Store
from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling.page import PageInput


class Outcome(StrEnum):
    """How a page came to its caller."""

    HIT = "hit"  # kept
    MISS = "miss"  # read
    JOINED = "joined"  # read for somebody else, who had asked a moment before
    BYPASS = "bypass"  # read, since the caller wanted that or it cannot be kept


@dataclass(frozen=True, slots=True)
class Ticket:
    """A page's name among the results; without a key it has none, and nothing is looked up or kept.

    Nobody looks for a page that is to be read now: its key is made while it is read, and comes `later`.
    """

    key: str = ""
    engine: EngineInfo | None = None
    control: CacheControl = field(default_factory=CacheControl)
    later: asyncio.Task[str] | None = None

    @property
    def shareable(self) -> bool:
        """Whether somebody else's reading may answer."""
        return bool(self.key) and self.control.may_answer


class Results:
    """What was read before, tenant by tenant. Without a store it keeps nothing."""

    def __init__(self, store: Store | None, setup: str, metrics: CollectorRegistry) -> None:
        """Register `pecia_cache_requests_total`.

        Args:
            store: where; None = the cache is off.
            setup: what changes a reading and is not in the engine's revision.
            metrics: of this process.
        """
        self._store = store
        self._setup = setup
        self._requests = Counter(
            "pecia_cache_requests_total",
            "Pages asked for: hit = kept before, joined = being read for somebody else already, "
            "miss = read, bypass = read without looking.",
            ("outcome",),
            registry=metrics,
        )
        for outcome in Outcome:
            self._requests.labels(outcome)

    async def ticket(
        self, page: PageInput, engine: EngineInfo | None, tenant: str, control: CacheControl
    ) -> Ticket:
        """Name the page; one that cannot be kept gets no name."""
        keeps = self._store is not None and (control.may_answer or control.may_keep)
        if not keeps or engine is None or not repeatable(page.options):
            return Ticket()
        key = key_of(page, tenant, engine, self._setup)
        if control.may_answer:
            return Ticket(await key, engine, control)
        return Ticket("", engine, control, later=asyncio.create_task(key))

    async def find(self, ticket: Ticket) -> Recognition | None:
        """The result, if there is one and it may answer."""
        if self._store is None or ticket.engine is None or not ticket.shareable:
            return None
        value = await self._store.get(ticket.key)
        return decoded(value, ticket.engine) if value is not None else None

    async def keep(self, ticket: Ticket, recognition: Recognition) -> None:
        """Remember the result, if it is one to be remembered. Suspends only whose page nobody shares."""
        if self._store is None or not ticket.control.may_keep or not worth_keeping(recognition):
            return
        if key := await ticket.later if ticket.later else ticket.key:
            await self._store.put(key, encoded(recognition))

    async def forget(self, tenant: str) -> int:
        """Let go of all results of a tenant; gives how many there were."""
        return await self._store.forget(tenant_mark(tenant)) if self._store is not None else 0

    def count(self, outcome: Outcome) -> None:
        """Count one page."""
        self._requests.labels(outcome).inc()

    async def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            await self._store.close()
