"""Documents that people are asked to look at, and what they decided: asked and decided once for a job."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pecia_core.errors import Conflict, NotFound
from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.database import Database
from pecia_jobs.ending import delivery_id
from pecia_jobs.expressions import Now
from pecia_jobs.model import Job
from pecia_jobs.schema import outbox, review
from pecia_jobs.tenants import insert_if_new

REVIEW, VERDICT = "review", "verdict"
LONGEST_NOTES = 1_000


class ReviewStatus(StrEnum):
    """pending -> approved | rejected, and nothing after that."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Review:
    """What is asked about a document.

    Attributes:
        id: a random UUID, which nobody can guess: it names the review towards the outside.
        job_id, tenant: the job that read the document.
        reference: what the other system calls the document.
        score: 0 to 100; None = not known.
        status: what became of it.
        notes: of who decided, for people.
        created: seconds since 1970.
        decided: the same; None = not yet.
    """

    id: str
    job_id: str
    tenant: str
    reference: str
    score: float | None
    status: ReviewStatus
    notes: str
    created: float
    decided: float | None


class Reviews:
    """Reviews in SQL, and the deliveries that go with them, each with its transaction."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`, which is migrated."""
        self._database = database

    async def ask(self, job: Job, score: float | None, facts: Mapping[str, object] | None = None) -> Review:
        """Ask for a review of a job that has ended, by a delivery `review`. Asked again it changes nothing.

        Args:
            job: that read the document.
            score: 0 to 100, how sure the reading is; None = not known.
            facts: more for the review service, as JSON: names of its own, no text of the document.
        """
        body = json.dumps(dict(facts or {}), ensure_ascii=False).encode(errors="replace")
        return await self._database.changing(lambda connection: _ask(connection, job, score, body))

    async def of_job(self, job_id: str) -> Review | None:
        """The review of a job; None = nobody was asked."""
        query = select(review).where(review.c.job_id == job_id)

        async def work(connection: AsyncConnection) -> Review | None:
            row = (await connection.execute(query)).first()
            return None if row is None else _review(row)

        return await self._database.reading(work)

    async def decide(self, review_id: str, status: ReviewStatus, notes: str, reference: str = "") -> Review:
        """Record what people decided, and deliver a `verdict`. Said again it changes nothing.

        Args:
            review_id: as the review service was told.
            status: approved or rejected.
            notes: for people; what is longer than `LONGEST_NOTES` is cut.
            reference: the document it is said to be about; empty = not said.

        Raises:
            NotFound: no such review, or one of another document.
            Conflict: it was decided otherwise before.
        """
        return await self._database.changing(
            lambda connection: _decide(connection, _Verdict(review_id, status, notes, reference))
        )


@dataclass(frozen=True, slots=True)
class _Verdict:
    review_id: str
    status: ReviewStatus
    notes: str
    reference: str


async def _ask(connection: AsyncConnection, job: Job, score: float | None, body: bytes) -> Review:
    values = {
        "id": str(uuid.uuid4()),
        "job_id": job.id,
        "tenant": job.tenant,
        "reference": job.reference,
        "score": score,
        "status": ReviewStatus.PENDING.value,
        "notes": "",
        "created": Now(),
    }
    await insert_if_new(connection, review, values)
    row = await _one(connection, review.c.job_id == job.id)
    assert row is not None  # noqa: S101 - it has just been made, or was there
    if row.status == ReviewStatus.PENDING:
        await _deliver(connection, row, REVIEW, body)
    return _review(row)


async def _decide(connection: AsyncConnection, verdict: _Verdict) -> Review:
    change = {"status": verdict.status.value, "notes": verdict.notes[:LONGEST_NOTES], "decided": Now()}
    mine = review.c.id == verdict.review_id
    if verdict.reference:
        mine &= review.c.reference == verdict.reference
    undecided = mine & (review.c.status == ReviewStatus.PENDING.value)
    changed = (await connection.execute(update(review).where(undecided).values(**change))).rowcount
    row = await _one(connection, mine)
    if row is None:
        raise NotFound("There is no such review here: use the callback URL as it was sent, for its document.")
    if row.status != verdict.status:
        raise Conflict(
            f"This review was {row.status} before and is decided once. Correct the document itself.",
            code="review_decided",
        )
    if changed:
        body = json.dumps({"reviewId": row.id, "decision": row.status}).encode()
        await _deliver(connection, row, VERDICT, body)
    return _review(row)


async def _one(connection: AsyncConnection, condition: ColumnElement[bool]) -> Row[Any] | None:
    return (await connection.execute(select(review).where(condition))).first()


async def _deliver(connection: AsyncConnection, row: Row[Any], kind: str, body: bytes) -> None:
    values = {
        "id": delivery_id(row.job_id, kind, 1),
        "job_id": row.job_id,
        "tenant": row.tenant,
        "kind": kind,
        "url": "",
        "body": body,
        "status": "pending",
        "due": Now(),
        "created": Now(),
    }
    await insert_if_new(connection, outbox, values)


def _review(row: Row[Any]) -> Review:
    return Review(
        id=row.id,
        job_id=row.job_id,
        tenant=row.tenant,
        reference=row.reference,
        score=row.score,
        status=ReviewStatus(row.status),
        notes=row.notes,
        created=row.created,
        decided=row.decided,
    )
