"""Reviews: asked once, decided once, and nothing of it lost."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from pecia_core.errors import Conflict, NotFound
from pecia_jobs.database import Database
from pecia_jobs.model import Job
from pecia_jobs.reviews import Reviews, ReviewStatus
from pecia_jobs.schema import outbox, review
from pecia_jobs.store import Store
from pecia_jobs.testing import sample_job
from sqlalchemy import select, text


@pytest.fixture
async def job(store: Store) -> Job:
    """A job that came from another system."""
    made, _ = await store.create(sample_job(1, reference="doc-7"))
    return made


async def _deliveries(database: Database) -> list[Any]:
    async with database.read() as connection:
        found = await connection.execute(select(outbox).order_by(outbox.c.created, outbox.c.id))
        return list(found.all())


async def test_a_review_is_asked_for_once(database: Database, job: Job) -> None:
    """By whoever ends the document, however often, and at the same moment: one review, one delivery."""
    reviews = Reviews(database)
    asked = await asyncio.gather(*(reviews.ask(job, 41.5, {"userId": "u-1"}) for _ in range(6)))
    assert len({one.id for one in asked}) == 1
    (one, *_) = asked
    assert uuid.UUID(one.id).version == 4
    assert (one.reference, one.score, one.status, one.decided) == ("doc-7", 41.5, ReviewStatus.PENDING, None)
    (delivery,) = await _deliveries(database)
    assert (delivery.id, delivery.kind, delivery.status) == (f"evt_{job.id}_review", "review", "pending")
    assert json.loads(delivery.body) == {"userId": "u-1"}
    assert await reviews.of_job(job.id) == one
    assert await reviews.of_job("another") is None


async def test_a_decision_is_kept_and_told(database: Database, job: Job) -> None:
    """With its notes; and whoever keeps the document hears of it by a delivery of its own."""
    reviews = Reviews(database)
    asked = await reviews.ask(job, None)
    decided = await reviews.decide(asked.id, ReviewStatus.REJECTED, "n" * 1_001, "doc-7")
    assert (decided.status, len(decided.notes)) == (ReviewStatus.REJECTED, 1_000)
    assert decided.decided is not None
    assert decided.decided >= decided.created
    _, verdict = await _deliveries(database)
    assert (verdict.id, verdict.kind) == (f"evt_{job.id}_verdict", "verdict")
    assert json.loads(verdict.body) == {"reviewId": asked.id, "decision": "rejected"}


async def test_a_decision_said_again_changes_nothing(database: Database, job: Job) -> None:
    """Callbacks are repeated; the first one counts, and a different one is refused."""
    reviews = Reviews(database)
    asked = await reviews.ask(job, 10.0)
    first = await reviews.decide(asked.id, ReviewStatus.APPROVED, "fine")
    assert await reviews.decide(asked.id, ReviewStatus.APPROVED, "fine, again") == first
    with pytest.raises(Conflict) as caught:
        await reviews.decide(asked.id, ReviewStatus.REJECTED, "no")
    assert caught.value.code == "review_decided"
    assert len(await _deliveries(database)) == 2
    assert (await reviews.ask(job, 10.0)).status is ReviewStatus.APPROVED
    assert len(await _deliveries(database)) == 2


async def test_decisions_at_the_same_moment(database: Database, job: Job) -> None:
    """One of them counts for everybody."""
    reviews = Reviews(database)
    asked = await reviews.ask(job, 10.0)
    said = [ReviewStatus.APPROVED, ReviewStatus.REJECTED] * 3
    results = await asyncio.gather(
        *(reviews.decide(asked.id, status, "") for status in said), return_exceptions=True
    )
    kept = await reviews.of_job(job.id)
    assert kept is not None
    assert [not isinstance(result, Exception) for result in results] == [
        status is kept.status for status in said
    ]
    assert all(isinstance(result, Conflict) for result in results if isinstance(result, Exception))
    assert len(await _deliveries(database)) == 2


async def test_a_decision_about_something_else_is_not_found(database: Database, job: Job) -> None:
    """No such review, or a signed answer that was meant for another document."""
    reviews = Reviews(database)
    asked = await reviews.ask(job, 10.0)
    with pytest.raises(NotFound):
        await reviews.decide(str(uuid.uuid4()), ReviewStatus.APPROVED, "")
    with pytest.raises(NotFound):
        await reviews.decide(asked.id, ReviewStatus.APPROVED, "", "doc-8")
    kept = await reviews.of_job(job.id)
    assert kept == asked


async def test_a_database_from_before_gets_the_table(database: Database) -> None:
    """The later steps of the tables' history make what the first one did not."""
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE review"))
        await connection.execute(text("DROP INDEX outbox_lost"))
        await connection.execute(text("DROP TABLE key_use"))
        await connection.execute(text("ALTER TABLE page_ready DROP COLUMN since"))
        await connection.execute(text("UPDATE pecia_jobs_version SET version_num = '0001'"))
    await database.migrate()
    async with database.read() as connection:
        assert (await connection.execute(select(review))).all() == []
