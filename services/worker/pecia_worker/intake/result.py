"""What the backend is told of a document: the fields of its channel, and of its table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pecia_core.vocabulary import EngineName
from pecia_jobs.model import Job, JobPage, JobState, PageSource, PageState

APPROVED = "auto_approved"
REVIEW = "pending_manual_review"
BY_HAND = {True: "manually_approved", False: "manually_rejected"}
_DECISIONS = {APPROVED: "auto_approve", REVIEW: "needs_review"}


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """How a document ended.

    Attributes:
        document_id: the backend's name for it.
        success: it was read, though perhaps not every page (`error` names the others).
        text: what stands in it.
        parsed: how it was read, page by page; None = it was not.
        score: 0 to 100, the mean confidence; None = not known.
        outcome: `auto_approved`, `pending_manual_review`, or None = failed.
        error: for people; empty = nothing is wrong.
        gpu_processed: every page that was looked at was read on a GPU.
        milliseconds: from the job's beginning to its end.
        ended: seconds since 1970; None = now.
    """

    document_id: str
    success: bool
    text: str = ""
    parsed: dict[str, Any] | None = None
    score: float | None = None
    outcome: str | None = None
    error: str = ""
    gpu_processed: bool = False
    milliseconds: int = 0
    ended: float | None = field(default=None, compare=False)

    @property
    def decision(self) -> str | None:
        """`auto_approve` or `needs_review`; None = failed."""
        return _DECISIONS.get(self.outcome or "")

    def message(self, max_bytes: int) -> str:
        """As it is published. A text that makes it longer than `max_bytes` is null: the table has it."""
        message = self._message(self.text if self.success else None)
        if len(message.encode()) <= max_bytes:
            return message
        return self._message(None)

    def _message(self, text: str | None) -> str:
        fields = {
            "success": self.success,
            "documentId": self.document_id,
            "ocrText": text,
            "parsedResult": self.parsed,
            "score": None if self.score is None else round(self.score),
            "decision": self.decision,
            "outcome": self.outcome,
            "error": self.error or None,
            "gpuProcessed": self.gpu_processed,
            "processingTimeMs": self.milliseconds,
        }
        return json.dumps(fields, ensure_ascii=False)


def refused(document_id: str, error: str, milliseconds: int = 0) -> DocumentResult:
    """The result of a document that could not be made a job."""
    return DocumentResult(document_id, success=False, error=error, milliseconds=milliseconds)


def result_of(job: Job, pages: Sequence[JobPage], text: str, review_below: float) -> DocumentResult:
    """The result of a job that has ended.

    Args:
        job: at its end.
        pages: all of them.
        text: of its result.
        review_below: mean confidence, 0 to 1, below which a person has to look.
    """
    done = [page for page in pages if page.state is PageState.DONE]
    success = job.state in {JobState.DONE, JobState.PARTIAL}
    mean = _mean([page.confidence for page in done if page.confidence is not None])
    sure = job.state is JobState.DONE and mean is not None and mean >= review_below
    return DocumentResult(
        document_id=job.reference,
        success=success,
        text=_storable(text) if success else "",
        parsed=_parsed(job, pages) if success else None,
        score=None if mean is None or not success else 100.0 * mean,
        outcome=(APPROVED if sure else REVIEW) if success else None,
        error=_storable(_error(job, pages)),
        gpu_processed=success and _on_gpu(done),
        milliseconds=round(1000 * max(0.0, (job.finished or job.created) - (job.started or job.created))),
        ended=job.finished,
    )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _on_gpu(done: Sequence[JobPage]) -> bool:
    looked_at = [page for page in done if page.source is not PageSource.TEXT]
    return bool(looked_at) and all(page.engine == EngineName.DEEPSEEK for page in looked_at)


def _parsed(job: Job, pages: Sequence[JobPage]) -> dict[str, Any]:
    return {
        "jobId": job.id,
        "totalPages": job.pages_total,
        "failedPages": _failed(pages),
        "pages": [
            {
                "number": page.number,
                "source": page.source,
                "engine": page.engine or None,
                "fallbackFrom": page.fallback_from or None,
                "confidence": page.confidence,
            }
            for page in pages
            if page.state is PageState.DONE
        ],
    }


def _failed(pages: Sequence[JobPage]) -> list[int]:
    return [page.number for page in pages if page.state is not PageState.DONE]


def _error(job: Job, pages: Sequence[JobPage]) -> str:
    if job.state is JobState.DONE:
        return ""
    if job.state is JobState.CANCELLED:
        return "The job was cancelled."
    if job.state is JobState.PARTIAL:
        return f"These pages could not be read: {', '.join(map(str, _failed(pages)))}."
    return job.error or next((page.error for page in pages if page.error), "The document could not be read.")


def _storable(text: str) -> str:
    """Without what PostgreSQL refuses: the character 0, and halves of characters."""
    return text.replace("\x00", "").encode(errors="replace").decode()
