"""What the database knows of an ended job, as the two files beside its documents."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from pecia_jobs.model import Job, JobPage, JobState, PageSource, PageState

Json = dict[str, Any]


def metadata(job: Job, pages: list[JobPage], state: JobState, now: float) -> Json:
    """`metadata.json`: everything but the password; `now` = seconds since 1970, the end of the job."""
    asked = job.options.recognize
    done = [page for page in pages if page.state is PageState.DONE]
    return {
        "job_id": job.id,
        "filename": job.filename,
        "media_type": job.media_type,
        "input_bytes": job.input_bytes,
        "status": state.status.value,
        "state": state.value,
        "created_at": job.created,
        "not_before": job.not_before,
        "started_at": job.started,
        "completed_at": now,
        "document_pages": job.document_pages,
        "total_pages": len(pages),
        "processed_pages": len(done),
        "text_pages": sum(page.source is PageSource.TEXT for page in done),
        "engines": dict(Counter(page.engine for page in done if page.engine)),
        "failed_pages": [
            {"number": page.number, "code": page.error_code, "message": page.error}
            for page in pages
            if page.state is PageState.FAILED
        ],
        "priority": job.priority.value,
        "reference": job.reference,
        "options": {
            "prompt": job.options.prompt,
            "model": asked.model,
            "task_type": asked.task_type.value,
            "model_size": asked.model_size.value if asked.model_size else None,
            "ref_text": asked.ref_text,
            "languages": list(asked.languages),
            "figures": asked.figures,
            "dpi": job.options.dpi,
            "text_layer": job.options.text_layer,
        },
    }


def result_metadata(job: Job, pages: list[JobPage], now: float) -> Json:
    """`result_metadata.json`: the five names the former system had."""
    return {
        "filename": job.filename,
        "total_pages": len(pages),
        "processed_at": datetime.fromtimestamp(now, UTC).replace(tzinfo=None).isoformat(),
        "processing_time_seconds": max(now - (job.started or job.created), 0.0),
        "prompt_used": job.options.prompt,
    }
