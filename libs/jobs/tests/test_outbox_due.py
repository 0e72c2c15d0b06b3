"""Which deliveries are due, for whom, and when again."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from pecia_core.errors import NotFound
from pecia_jobs import outbox as outboxes
from pecia_jobs.database import Database
from pecia_jobs.outbox import MAX_ATTEMPTS, Delivery, Outbox
from pecia_jobs.schema import outbox
from pecia_jobs.store import Store
from pecia_jobs.testing import sample_job
from sqlalchemy import update


async def _ended(store: Store, urls: Sequence[str], notices: tuple[str, ...] = ()) -> None:
    """Make jobs that have ended, each with a webhook and what else is to be told."""
    for number, url in enumerate(urls):
        job, _ = await store.create(sample_job(number, webhook_url=url, notices=notices))
        await store.cancel("anna", job.id)


async def test_a_delivery_is_leased(database: Database, store: Store) -> None:
    """To one at a time, no more than asked for, and again when the lease has ended."""
    await _ended(store, ["https://a.example/"] * 6)
    box = Outbox(database, lease_s=60.0)
    claimed = await asyncio.gather(*(box.claim(f"w{number}", 2) for number in range(4)))
    assert all(len(some) <= 2 for some in claimed)
    while more := await box.claim("w9", 2):
        claimed.append(more)
    ids = [delivery.id for some in claimed for delivery in some]
    assert len(ids) == len(set(ids)) == 6
    async with database.write() as connection:
        await connection.execute(update(outbox).values(due=0.0))  # the leases end
    again = await box.claim("w1", 10)
    assert sorted(delivery.id for delivery in again) == sorted(ids)
    assert {delivery.attempt for delivery in again} == {2}
    late = next(some[0] for some in claimed if some)
    assert not await box.delivered(late, 200), "whose lease has ended says nothing any more"
    assert await box.delivered(again[0], 200)


async def test_kinds_and_busy_receivers_are_left(database: Database, store: Store) -> None:
    """A caller takes what it can do, and what goes to somebody who has room."""
    await _ended(
        store, ["https://a.example/1", "https://a.example:8443/2", "https://b.example/3"], ("publish",)
    )
    box = Outbox(database)
    assert await box.claim("w", 9, ("verdict",)) == []
    assert await box.claim("w", 9, ()) == []
    (one,) = await box.claim("w", 9, ("webhook",), ["https://a.example"])
    assert one.url == "https://b.example/3"
    rest = await box.claim("w", 9, ("webhook",))
    assert sorted(delivery.url for delivery in rest) == ["https://a.example/1", "https://a.example:8443/2"]
    assert {delivery.kind for delivery in await box.claim("w", 9)} == {"publish"}
    assert await box.counts() == {"pending": 6, "undeliverable": 0}


async def test_given_up_and_begun_again(database: Database, store: Store) -> None:
    """After the last try or at once; a replay has all tries again; somebody else's is not found."""
    await _ended(store, ["https://a.example/"])
    box = Outbox(database)
    (delivery,) = await box.claim("w", 1)
    assert await box.failed(delivery, 410, "gone", gone=True)
    (record,) = await box.deliveries("anna", delivery.job_id)
    assert (record.status, record.last_status, record.next_attempt) == ("undeliverable", 410, None)
    assert await box.counts() == {"pending": 0, "undeliverable": 1}
    with pytest.raises(NotFound):
        await box.replay("bert", delivery.id)
    await box.replay("anna", delivery.id)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        (delivery,) = await box.claim("w", 1)
        assert (delivery.attempt, delivery.last) == (attempt, attempt == MAX_ATTEMPTS)
        assert await box.failed(delivery, None, "no answer")
        async with database.write() as connection:
            await connection.execute(update(outbox).where(outbox.c.due.is_not(None)).values(due=0.0))
    assert await box.claim("w", 1) == []
    (record,) = await box.deliveries("anna", delivery.job_id)
    assert (record.status, record.attempts, record.error) == ("undeliverable", MAX_ATTEMPTS, "no answer")


async def test_nobody_repeats_what_another_has(database: Database, store: Store) -> None:
    """A token of another lease changes nothing, whatever is said with it."""
    await _ended(store, ["https://a.example/"])
    box = Outbox(database)
    (mine,) = await box.claim("w", 1)
    stranger = Delivery(mine.id, mine.job_id, mine.tenant, mine.kind, mine.url, mine.body, 1, "another")
    assert not await box.delivered(stranger, 200)
    assert not await box.failed(stranger, 500, "no")
    (record,) = await box.deliveries("anna", mine.job_id)
    assert (record.status, record.last_status) == ("pending", None)


def test_pauses_grow() -> None:
    """From five seconds to six hours, with some chance in it, about a day in all."""
    pauses = [[outboxes._pause(attempt, None) for _ in range(20)] for attempt in range(1, MAX_ATTEMPTS)]
    assert all(4.0 <= pause <= 5.0 for pause in pauses[0])
    assert all(max(few) <= 21_600 for few in pauses)
    assert all(min(later) >= 1.5 * min(few) for few, later in pairwise(pauses[:8]))
    assert all(len(set(few)) > 1 for few in pauses)
    assert 12 * 3600 < sum(min(few) for few in pauses) < 30 * 3600


def test_who_asks_for_time_gets_it() -> None:
    """Never sooner than asked, six hours at most; and "at once" is no way to use all tries in a second."""
    assert outboxes._pause(1, 600.0) == 600.0
    assert outboxes._pause(1, 1e9) == 21_600
    assert outboxes._pause(5, 0.0) >= 300
