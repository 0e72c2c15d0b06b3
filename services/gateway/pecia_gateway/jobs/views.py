"""Jobs and pages in the words of the REST API."""

from datetime import UTC, datetime
from typing import Any, Literal

from pecia_core.vocabulary import Priority
from pecia_jobs.model import Job, JobPage, PageState
from pecia_jobs.progress import Standing
from pecia_jobs.reviews import Review

from pecia_gateway.schemas.jobs import (
    JobDetail,
    JobMetadata,
    JobReview,
    JobView,
    PageProblem,
    PageRead,
    PageView,
)

_PRIORITIES: dict[Priority, Literal["low", "default", "high"]] = {
    Priority.FLEX: "low",
    Priority.DEFAULT: "default",
    Priority.PRIORITY: "high",
}
PageStatus = Literal["waiting", "ready", "processing", "done", "failed", "cancelled"]
_STATUSES: dict[PageState, PageStatus] = {
    PageState.WAITING: "waiting",
    PageState.READY: "ready",
    PageState.LEASED: "processing",
    PageState.DONE: "done",
    PageState.FAILED: "failed",
    PageState.CANCELLED: "cancelled",
}


def job_view(standing: Standing) -> JobView:
    """A job and how far it is."""
    job = standing.job
    return JobView(
        job_id=job.id,
        filename=job.filename,
        status=job.status,
        progress=round(job.progress, 2),
        total_pages=job.pages_total,
        processed_pages=job.pages_done,
        created_at=job.created,
        started_at=job.started,
        completed_at=job.finished,
        error=job.error or None,
        failed_pages=list(standing.failed_pages),
        eta_seconds=_rounded(standing.eta_seconds),
        pages_per_second=_rounded(standing.pages_per_second),
        detail=JobDetail(
            state=job.state,
            priority=_PRIORITIES[job.priority],
            not_before=job.not_before,
            document_pages=job.document_pages,
            text_pages=standing.text_pages,
            media_type=job.media_type,
            model=job.options.recognize.model,
            task_type=job.options.recognize.task_type.value,
            webhook_url=job.webhook_url or None,
            expires_at=job.expires,
            queue_ahead=standing.queue_ahead,
            review=_review_view(standing.review),
        ),
    )


def page_view(page: JobPage) -> PageView:
    """A page as it stands."""
    return PageView(**_page_fields(page))


def page_read(page: JobPage, result: dict[str, Any]) -> PageRead:
    """A page with what was read on it: `result` is its blob."""
    own = (
        "text",
        "markdown",
        "model",
        "finish_reason",
        "warnings",
        "timings",
        "agreement",
        "figures",
        "page",
    )
    return PageRead(**_page_fields(page), **{name: result[name] for name in own if name in result})


def metadata_view(standing: Standing) -> JobMetadata:
    """What became of a document."""
    job = standing.job
    asked = job.options.recognize
    return JobMetadata(
        filename=job.filename,
        total_pages=job.pages_total,
        processed_at=datetime.fromtimestamp(job.finished, UTC).isoformat() if job.finished else None,
        processing_time_seconds=_taken_s(job),
        prompt_used=job.options.prompt,
        job_id=job.id,
        status=job.status,
        processed_pages=job.pages_done,
        failed_pages=list(standing.failed_pages),
        text_pages=standing.text_pages or 0,
        media_type=job.media_type,
        model=asked.model,
        task_type=asked.task_type.value,
        languages=list(asked.languages),
        dpi=job.options.dpi,
        review=_review_view(standing.review),
    )


def _review_view(review: Review | None) -> JobReview | None:
    if review is None:
        return None
    return JobReview(
        status=review.status,
        score=review.score,
        notes=review.notes,
        asked_at=review.created,
        decided_at=review.decided,
    )


def _taken_s(job: Job) -> float | None:
    if job.finished is None:
        return None
    return round(max(job.finished - (job.started or job.finished), 0.0), 3)


def _page_fields(page: JobPage) -> dict[str, Any]:
    failed = page.state is PageState.FAILED or (page.error_code and page.state is not PageState.DONE)
    return {
        "number": page.number,
        "status": _STATUSES[page.state],
        "source": page.source,
        "engine": page.engine,
        "fallback_from": page.fallback_from,
        "confidence": page.confidence,
        "attempts": page.attempts,
        "finished_at": page.finished,
        "error": PageProblem(code=page.error_code, message=page.error) if failed else None,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
