"""Deliveries: one for each end of a job, tried again, given up visibly, sent again on demand."""

import asyncio
import json

import pytest
from pecia_core.errors import NotFound
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState
from pecia_jobs.outbox import MAX_ATTEMPTS, Outbox
from pecia_jobs.schema import outbox as outbox_table
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job
from sqlalchemy import update

HOOK = "https://x.test/hook"


@pytest.fixture
def outbox(database: Database) -> Outbox:
    """Over that database."""
    return Outbox(database)


async def run(store: Store, leases: Leases, *, fail: bool = False) -> None:
    """Everything that is due, to the end."""
    while claimed := await leases.claim("w1", 9):
        for lease in claimed:
            if not lease.number:
                await leases.finish(lease, JobState.DONE)
            elif fail:
                await leases.fail(lease, "invalid_image", "Bad.", permanent=True)
            else:
                await leases.record([result_of(lease)])


async def test_the_end_of_a_job_is_told_once(store: Store, leases: Leases, outbox: Outbox) -> None:
    """In the transaction that ends it; what is said is fixed then, to the byte."""
    job, _ = await store.create(sample_job(pages=2, webhook_url=HOOK, notices=("publish", "redis")))
    assert await outbox.claim("w1", 9) == []
    await run(store, leases, fail=True)
    claimed = await outbox.claim("w1", 9)
    assert {delivery.kind for delivery in claimed} == {"webhook", "publish", "redis"}
    (hook,) = [delivery for delivery in claimed if delivery.kind == "webhook"]
    assert (hook.id, hook.url, hook.attempt, hook.tenant) == (f"evt_{job.id}_webhook", HOOK, 1, "anna")
    said = json.loads(hook.body)
    assert said["type"] == "job.partial"
    assert said["timestamp"].endswith("Z")
    assert said["data"] == {
        "job_id": job.id,
        "status": "completed",
        "state": "partial",
        "total_pages": 2,
        "processed_pages": 0,
        "failed_pages": [1, 2],
        "filename": "scan.pdf",
    }
    assert await outbox.claim("w1", 9) == []


async def test_every_end_is_told(store: Store, leases: Leases, outbox: Outbox) -> None:
    """Cancelled and done; a job that is run again ends again, under an id of its own."""
    job, _ = await store.create(sample_job(webhook_url=HOOK))
    await store.cancel("anna", job.id)
    await store.rerun("anna", job.id)
    await run(store, leases)
    records = await outbox.deliveries("anna", job.id)
    assert [record.id for record in records] == [f"evt_{job.id}_webhook", f"evt_{job.id}_webhook.2"]
    bodies = [json.loads(delivery.body)["type"] for delivery in await outbox.claim("w1", 9)]
    assert bodies == ["job.cancelled", "job.completed"]


async def test_nobody_to_tell(store: Store, leases: Leases, outbox: Outbox) -> None:
    """No webhook, no delivery; another tenant's job is not found."""
    job, _ = await store.create(sample_job())
    await run(store, leases)
    assert await outbox.deliveries("anna", job.id) == []
    with pytest.raises(NotFound):
        await outbox.deliveries("bela", job.id)


async def test_what_arrived_is_over(store: Store, leases: Leases, outbox: Outbox) -> None:
    """It says when and with what answer; telling it twice is telling it once."""
    job, _ = await store.create(sample_job(webhook_url=HOOK))
    await run(store, leases)
    (delivery,) = await outbox.claim("w1", 9)
    assert await outbox.delivered(delivery, 204)
    assert await outbox.delivered(delivery, 204)
    (record,) = await outbox.deliveries("anna", job.id)
    assert (record.status, record.last_status, record.attempts) == ("delivered", 204, 1)
    assert record.next_attempt is None
    assert record.delivered


async def test_what_never_arrives_is_given_up(store: Store, leases: Leases, outbox: Outbox) -> None:
    """After twelve tries, longer and longer apart; then it can be sent again, with the same id."""
    job, _ = await store.create(sample_job(webhook_url=HOOK))
    await run(store, leases)
    pauses = []
    (record,) = await outbox.deliveries("anna", job.id)
    first = None
    for attempt in range(1, MAX_ATTEMPTS + 1):
        (delivery,) = await outbox.claim("w1", 9)
        first = first or delivery
        assert delivery.attempt == attempt
        assert await outbox.failed(delivery, 503, "No room.")
        assert await outbox.claim("w1", 9) == []
        (record,) = await outbox.deliveries("anna", job.id)
        if record.next_attempt:
            pauses.append(record.next_attempt - record.created)
            await _make_due(store)
    assert (record.status, record.last_status, record.error) == ("undeliverable", 503, "No room.")
    assert pauses[0] < 10
    assert max(pauses) > 4 * 3600
    replayed = await outbox.replay("anna", record.id)
    assert (replayed.status, replayed.attempts) == ("pending", 0)
    (again,) = await outbox.claim("w1", 9)
    assert (again.id, again.body, again.attempt) == (record.id, first and first.body, 1)
    with pytest.raises(NotFound):
        await outbox.replay("bela", record.id)


async def test_the_receiver_may_say_when(store: Store, leases: Leases, outbox: Outbox) -> None:
    """Its Retry-After counts, within six hours; "at once" is no way to use up all tries."""
    await store.create(sample_job(webhook_url=HOOK))
    await run(store, leases)
    (delivery,) = await outbox.claim("w1", 9)
    await outbox.failed(delivery, 429, "Slowly.", retry_after=0)
    assert await outbox.claim("w1", 9) == []
    await _make_due(store)
    (again,) = await outbox.claim("w1", 9)
    assert not await outbox.failed(delivery, 429, "Late.")
    await outbox.failed(again, 429, "Slowly.", retry_after=1e9)
    (record,) = await outbox.deliveries("anna", again.job_id)
    assert 5 * 3600 < (record.next_attempt or 0) - record.created < 7 * 3600


async def test_a_delivery_is_made_by_one(store: Store, leases: Leases, database: Database) -> None:
    """Several may ask; when one dies, its delivery is due again after its lease."""
    for number in range(6):
        await store.create(sample_job(number, webhook_url=HOOK))
    await run(store, leases)
    hasty = Outbox(database, lease_s=0.0)
    held = await asyncio.gather(*(Outbox(database).claim(f"w{number}", 2) for number in range(5)))
    assert sum(len(each) for each in held) == 6
    assert len({delivery.id for each in held for delivery in each}) == 6
    await _make_due(store)
    assert len(await hasty.claim("w1", 9)) == 6
    retried = await hasty.claim("w1", 9)
    assert [delivery.attempt for delivery in retried] == [3] * 6
    assert not await hasty.delivered(held[0][0], 200)


async def _make_due(store: Store) -> None:
    async with store._database.write() as connection:
        await connection.execute(update(outbox_table).values(due=0.0))
