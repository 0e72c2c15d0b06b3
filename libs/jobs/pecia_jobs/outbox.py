"""Deliveries that wait to be made: leased like pages, tried again, given up visibly, sent again on demand.

Kinds: `webhook`, and what `NewJob.notices` names (`publish`, `review`, `redis`).
"""

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial

from pecia_core.errors import NotFound
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.database import Database
from pecia_jobs.expressions import Now, RandomHex
from pecia_jobs.listing import find
from pecia_jobs.rows import AnyRow
from pecia_jobs.schema import outbox

MAX_ATTEMPTS = 12
PENDING, DELIVERED, UNDELIVERABLE = "pending", "delivered", "undeliverable"
# Seconds before the next try, three times as long each time, less up to a fifth by chance: 20 hours in all.
_FIRST_RETRY_S, _LAST_RETRY_S, _GROWTH = 5.0, 6 * 3600.0, 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """One to be made now. `id` is the same for every try; `body` is what is sent, to the byte."""

    id: str
    job_id: str
    tenant: str
    kind: str
    url: str
    body: bytes = field(repr=False)
    attempt: int
    token: str

    @property
    def last(self) -> bool:
        """Whether there is no other try after this one."""
        return self.attempt >= MAX_ATTEMPTS


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One as it stands. `last_status` is the receiver's HTTP status, None = no answer yet."""

    id: str
    kind: str
    url: str
    status: str
    attempts: int
    last_status: int | None
    error: str
    created: float
    delivered: float | None
    next_attempt: float | None


class Outbox:
    """All deliveries of one database."""

    def __init__(self, database: Database, lease_s: float = 60.0) -> None:
        """A delivery that nobody has told the end of is tried again after `lease_s` seconds."""
        self._database = database
        self._lease_s = lease_s

    async def claim(
        self,
        worker: str,  # noqa: ARG002 - as pages are claimed
        n: int,
        kinds: Collection[str] | None = None,
        busy: Collection[str] = (),
    ) -> list[Delivery]:
        """At most `n` deliveries that are due, the longest due first.

        Args:
            worker: who asks.
            n: how many.
            kinds: that the caller can do; None = all.
            busy: beginnings of URLs (`https://host`) that have to wait, so that they hold up no others.
        """
        due = _is_due(kinds, busy)
        waiting = await self._database.reading(partial(_anything, due=due))
        if not waiting:
            return []
        rows = await self._database.changing(partial(_claim, due=due, n=n, lease_s=self._lease_s))
        return [
            Delivery(
                id=row.id,
                job_id=row.job_id,
                tenant=row.tenant,
                kind=row.kind,
                url=row.url,
                body=row.body,
                attempt=row.attempts,
                token=row.lease_token,
            )
            for row in rows
        ]

    async def delivered(self, delivery: Delivery, status: int | None = None) -> bool:
        """It arrived, with this HTTP status where there is one. False = somebody else has it now."""
        values: dict[str, object] = {
            "status": DELIVERED,
            "due": None,
            "delivered": Now(),
            "last_status": status,
            "error": "",
        }
        return await self._database.changing(partial(_tell, delivery=delivery, values=values))

    async def failed(
        self,
        delivery: Delivery,
        status: int | None,
        message: str,
        retry_after: float | None = None,
        *,
        gone: bool = False,
    ) -> bool:
        """It did not arrive: tried again later, or given up. False = somebody else has it now.

        Args:
            delivery: as it was claimed.
            status: of HTTP; None = there was no answer.
            message: why; shown to the owner.
            retry_after: seconds the receiver wants to be left alone; None = it said nothing.
            gone: the receiver wants nothing more: given up at once.
        """
        values: dict[str, object] = {"last_status": status, "error": message, "lease_token": None}
        if gone or delivery.last:
            values |= {"status": UNDELIVERABLE, "due": None}
        else:
            values |= {"due": Now() + _pause(delivery.attempt, retry_after)}
        return await self._database.changing(partial(_tell, delivery=delivery, values=values))

    async def counts(self) -> dict[str, int]:
        """How many are pending and how many were given up, by their status."""
        return await self._database.reading(_counts)

    async def deliveries(self, tenant: str, job_id: str) -> list[DeliveryRecord]:
        """All of a job, the oldest first.

        Raises:
            NotFound: no such job of this tenant.
        """
        return await self._database.reading(partial(_of_job, tenant=tenant, job_id=job_id))

    async def replay(self, tenant: str, delivery_id: str) -> DeliveryRecord:
        """Make a delivery again, with all its tries.

        Raises:
            NotFound: no such delivery of this tenant.
        """
        return await self._database.changing(partial(_replay, tenant=tenant, delivery_id=delivery_id))


def _pause(attempt: int, retry_after: float | None) -> float:
    """Seconds: never sooner than a receiver asks, and never so soon that its tries are gone in minutes."""
    longest: float = min(_LAST_RETRY_S, _FIRST_RETRY_S * _GROWTH ** min(attempt - 1, MAX_ATTEMPTS))
    usual = longest * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing
    return min(max(usual, retry_after or 0.0), _LAST_RETRY_S)


def _is_due(kinds: Collection[str] | None, busy: Collection[str]) -> ColumnElement[bool]:
    conditions = [outbox.c.due <= Now()]
    if kinds is not None:
        conditions.append(outbox.c.kind.in_(sorted(kinds)))
    conditions += [func.substr(outbox.c.url, 1, len(start)) != start for start in sorted(busy)]
    return and_(*conditions)


async def _anything(connection: AsyncConnection, due: ColumnElement[bool]) -> bool:
    return (await connection.execute(select(outbox.c.id).where(due).limit(1))).first() is not None


async def _claim(
    connection: AsyncConnection, due: ColumnElement[bool], n: int, lease_s: float
) -> list[AnyRow]:
    chosen = (
        select(outbox.c.id)
        .where(due)
        .order_by(outbox.c.due)
        .limit(n)
        .with_for_update(skip_locked=True)
        .cte("chosen")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    leased = {"due": Now() + lease_s, "attempts": outbox.c.attempts + 1, "lease_token": RandomHex()}
    claim = update(outbox).where(outbox.c.id.in_(select(chosen.c.id))).values(**leased).returning(*outbox.c)
    rows = list(await connection.execute(claim))
    if len(rows) > n:
        raise RuntimeError(f"claimed {len(rows)} deliveries for {n}: a bug")
    return rows


async def _tell(connection: AsyncConnection, delivery: Delivery, values: dict[str, object]) -> bool:
    mine = (outbox.c.id == delivery.id) & (outbox.c.lease_token == delivery.token)
    return (await connection.execute(update(outbox).where(mine).values(**values))).rowcount == 1


async def _counts(connection: AsyncConnection) -> dict[str, int]:
    pending = select(func.count()).where(outbox.c.due.is_not(None))
    lost = select(func.count()).where(outbox.c.status == UNDELIVERABLE)
    return {
        PENDING: (await connection.execute(pending)).scalar_one(),
        UNDELIVERABLE: (await connection.execute(lost)).scalar_one(),
    }


async def _of_job(connection: AsyncConnection, tenant: str, job_id: str) -> list[DeliveryRecord]:
    query = select(outbox).where(outbox.c.job_id == job_id, outbox.c.tenant == tenant)
    rows = (await connection.execute(query.order_by(outbox.c.created, outbox.c.id))).all()
    if not rows:
        await find(connection, tenant, job_id)
    return [_record(row) for row in rows]


async def _replay(connection: AsyncConnection, tenant: str, delivery_id: str) -> DeliveryRecord:
    mine = (outbox.c.id == delivery_id) & (outbox.c.tenant == tenant)
    fresh = {"status": PENDING, "attempts": 0, "due": Now(), "delivered": None, "lease_token": None}
    again = update(outbox).where(mine).values(**fresh).returning(*outbox.c)
    row = (await connection.execute(again)).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery: see the list of deliveries of the job.")
    return _record(row)


def _record(row: AnyRow) -> DeliveryRecord:
    return DeliveryRecord(
        id=row.id,
        kind=row.kind,
        url=row.url,
        status=row.status,
        attempts=row.attempts,
        last_status=row.last_status,
        error=row.error,
        created=row.created,
        delivered=row.delivered,
        next_attempt=row.due,
    )
