"""From rows to what `model` knows, and back."""

from typing import Any

from pecia_core.vocabulary import Priority
from pydantic import TypeAdapter
from sqlalchemy import Row

from pecia_jobs.model import Job, JobOptions, JobPage, JobState, PageSource, PageState

# One of any table.
AnyRow = Row[*tuple[Any, ...]]
# As the column has it: the least is served first.
PRIORITIES = (Priority.PRIORITY, Priority.DEFAULT, Priority.FLEX)
_options = TypeAdapter(JobOptions)


def options_to_text(options: JobOptions) -> str:
    """As the column `options` has it."""
    return _options.dump_json(options).decode()


def options_from_text(text: str) -> JobOptions:
    """What `options_to_text` wrote, by this version or an older one."""
    return _options.validate_json(text)


def job_from(row: AnyRow, max_age_s: float | None = None) -> Job:
    """A row of `job`; an ended one expires `max_age_s` seconds after its end."""
    return Job(
        id=row.id,
        tenant=row.tenant,
        state=JobState(row.state),
        filename=row.filename,
        media_type=row.media_type,
        input_key=row.input_key,
        input_bytes=row.input_bytes,
        document_pages=row.document_pages,
        options=options_from_text(row.options),
        priority=PRIORITIES[row.priority],
        pages_total=row.pages_total,
        pages_done=row.pages_done,
        pages_failed=row.pages_failed,
        bytes_stored=row.bytes_stored,
        seq=row.seq,
        created=row.created,
        not_before=row.not_before,
        started=row.started,
        finished=row.finished,
        expires=row.finished + max_age_s if max_age_s and row.finished else None,
        error=row.error,
        webhook_url=row.webhook_url,
        reference=row.reference,
    )


def page_from(row: AnyRow) -> JobPage:
    """A row of `page`."""
    return JobPage(
        job_id=row.job_id,
        number=row.number,
        state=PageState(row.state),
        attempts=row.attempts,
        seq=row.seq,
        source=PageSource(row.source) if row.source else None,
        engine=row.engine,
        fallback_from=row.fallback_from,
        confidence=row.confidence,
        result_key=row.result_key,
        finished=row.finished,
        error_code=row.error_code,
        error=row.error,
    )
