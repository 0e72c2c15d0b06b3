"""The end of a job, and the deliveries that tell of it, in one transaction."""

from dataclasses import replace

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pecia_jobs.expressions import Now
from pecia_jobs.model import JobState, PageState
from pecia_jobs.rows import AnyRow, job_from
from pecia_jobs.schema import job, outbox, page
from pecia_jobs.tally import Tally
from pecia_jobs.webhooks import event_body

WEBHOOK = "webhook"


async def end(connection: AsyncConnection, tally: Tally, state: JobState, error: str = "") -> None:
    """Bring a held job to its end: `written` has to follow. A job with failed pages is never `done`."""
    if state is JobState.DONE and tally.failed:
        state = JobState.PARTIAL
    tally.state = state
    tally.next_seq()
    values = {"finished": Now(), "error": error, "password": None, "endings": job.c.endings + 1}
    changed = update(job).where(job.c.id == tally.id).values(**values).returning(*job.c)
    row = (await connection.execute(changed)).one()
    kinds = [WEBHOOK] if row.webhook_url else []
    kinds += [kind for kind in row.notices.split(",") if kind]
    if kinds:
        await _tell(connection, tally, row, kinds)


async def _tell(connection: AsyncConnection, tally: Tally, row: AnyRow, kinds: list[str]) -> None:
    query = select(page.c.number).where(page.c.job_id == row.id, page.c.state == PageState.FAILED)
    failed = (await connection.execute(query.order_by(page.c.number))).scalars().all()
    ended = replace(
        job_from(row),
        state=tally.state,
        pages_total=tally.total,
        pages_done=tally.done,
        pages_failed=tally.failed,
    )
    deliveries = [
        {
            "id": delivery_id(row.id, kind, row.endings),
            "job_id": row.id,
            "tenant": row.tenant,
            "kind": kind,
            "url": row.webhook_url if kind == WEBHOOK else "",
            "body": event_body(ended, [number for number in failed if number]),
            "status": "pending",
            "due": row.finished,
            "created": row.finished,
        }
        for kind in kinds
    ]
    await connection.execute(insert(outbox), deliveries)


def delivery_id(job_id: str, kind: str, ending: int) -> str:
    """`evt_{job}_{kind}`, the same for ever; the second end of a job that was run again is `.2`."""
    return f"evt_{job_id}_{kind}" + (f".{ending}" if ending > 1 else "")
