"""A job and its pages come into being, once for each idempotency key."""

from pecia_core.errors import Conflict
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs import readiness, tenants
from pecia_jobs.expressions import Now
from pecia_jobs.model import JobState, NewJob, PageState
from pecia_jobs.rows import PRIORITIES, AnyRow, options_to_text
from pecia_jobs.schema import job, page, tenant
from pecia_jobs.tenants import insert_if_new


async def make(connection: AsyncConnection, new: NewJob) -> tuple[AnyRow, bool]:
    """The job's row, and whether it is this caller's own making."""
    now = (await connection.execute(select(Now()))).scalar_one()
    later = new.not_before is not None and new.not_before > now
    state = JobState.SCHEDULED if later else JobState.QUEUED
    await insert_if_new(connection, tenant, {"id": new.tenant})
    if not await insert_if_new(connection, job, _row(new, state, now)):
        return await _older(connection, new)
    await _make_pages(connection, new, PageState.WAITING if later else PageState.READY)
    if not later:
        await readiness.put_in_queue(connection, page.c.job_id == new.id)
        await tenants.settle(connection, {}, [new.tenant])
    return (await connection.execute(select(job).where(job.c.id == new.id))).one(), True


def _row(new: NewJob, state: JobState, now: float) -> dict[str, object]:
    return {
        "id": new.id,
        "tenant": new.tenant,
        "state": state,
        "filename": new.filename,
        "media_type": new.media_type,
        "input_key": new.input_key,
        "input_sha256": new.input_sha256,
        "input_bytes": new.input_bytes,
        "document_pages": new.document_pages,
        "options": options_to_text(new.options),
        "priority": PRIORITIES.index(new.priority),
        "pages_total": len(new.page_numbers),
        "bytes_stored": new.input_bytes,
        "created": now,
        "not_before": new.not_before,
        "idempotency_key": new.idempotency_key or None,
        "idempotency_digest": new.idempotency_digest,
        "webhook_url": new.webhook_url,
        "notices": ",".join(new.notices),
        "password": new.password or None,
        "locked": bool(new.password),
        "reference": new.reference,
    }


async def _make_pages(connection: AsyncConnection, new: NewJob, state: PageState) -> None:
    priority = PRIORITIES.index(new.priority)
    base = await readiness.round_of(connection, new.tenant, priority)
    same = {"job_id": new.id, "tenant": new.tenant, "priority": priority, "state": state}
    rows = [
        same | {"number": number, "rank": base + place} for place, number in enumerate(new.page_numbers, 1)
    ]
    await connection.execute(insert(page), rows)


async def _older(connection: AsyncConnection, new: NewJob) -> tuple[AnyRow, bool]:
    """The row that was in the way: made by a try whose answer was lost, or under the same key."""
    names = ("tenant", "input_sha256", "idempotency_digest", "filename")
    said = (new.tenant, new.input_sha256, new.idempotency_digest, new.filename)
    same_id = (await connection.execute(select(job).where(job.c.id == new.id))).one_or_none()
    if same_id is not None:
        if tuple(getattr(same_id, name) for name in names) == said:
            return same_id, True
        raise Conflict("A job of this name exists. Send the request again.", code="idempotency_conflict")
    keyed = select(job).where(job.c.tenant == new.tenant, job.c.idempotency_key == new.idempotency_key)
    row = (await connection.execute(keyed)).one()
    if row.idempotency_digest == new.idempotency_digest:
        return row, False
    raise Conflict(
        "This Idempotency-Key was used for another request. Use a new key for a new job.",
        code="idempotency_conflict",
    )


async def set_tenant(connection: AsyncConnection, name: str, max_running: int | None, weight: float) -> None:
    """What a tenant may have, whether it has been seen or not."""
    await insert_if_new(connection, tenant, {"id": name})
    changed = update(tenant).where(tenant.c.id == name)
    await connection.execute(changed.values(max_running=max_running, weight=weight))
