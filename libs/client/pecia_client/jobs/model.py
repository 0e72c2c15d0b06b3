"""What the gateway says of jobs and pages, and what is asked of a job, as types.

Times are seconds since 1970; page numbers count from 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from pecia_core.document import Page
from pecia_core.recognition import Notice
from pecia_core.vocabulary import ModelSize, TaskType

from pecia_client.reading import Json, page_from_json


class JobStatus(StrEnum):
    """Where a job stands, in five words."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobPriority(StrEnum):
    """Whose pages come first, among one caller's own jobs."""

    LOW = "low"
    DEFAULT = "default"
    HIGH = "high"


class ResultFormat(StrEnum):
    """What a result can be downloaded as."""

    MARKDOWN = "markdown"
    TEXT = "text"
    JSON = "json"
    CSV = "csv"

    @property
    def suffix(self) -> str:
        """Of a file in this format."""
        return {"markdown": ".md", "text": ".txt", "json": ".json", "csv": ".csv"}[self]


_ENDS = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page to look at: a JPEG of a PDF's, otherwise as it was sent."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What is wanted of a document; empty = what the gateway does by itself.

    Attributes:
        prompt: as DeepSeek models take it; others go by `task_type`.
        model: who reads.
        model_size: how closely a DeepSeek model looks.
        task_type: what is wanted of each page.
        ref_text: what to look for, where the task is to locate.
        languages: of the text, such as ind.
        pages: which pages of the document, such as 1-3,7,10-
        priority: among the caller's own jobs.
        not_before: seconds since 1970 before which no page is read.
        webhook_url: told when the job ends.
        password: opens an encrypted PDF. Left out of the repr.
        text_layer: False = read every page as a picture, although the PDF says its text itself.
        dpi: dots per inch at which PDF pages are drawn.
    """

    prompt: str = ""
    model: str = ""
    model_size: ModelSize | None = None
    task_type: TaskType | None = None
    ref_text: str = ""
    languages: Sequence[str] = ()
    pages: str = ""
    priority: JobPriority = JobPriority.DEFAULT
    not_before: float | None = None
    webhook_url: str = ""
    password: str = field(default="", repr=False)
    text_layer: bool = True
    dpi: float | None = None

    def form(self) -> dict[str, str]:
        """The fields of the form that makes the job; what is not said is left out."""
        said = {
            "prompt": self.prompt,
            "model": self.model,
            "model_size": str(self.model_size or ""),
            "task_type": str(self.task_type or ""),
            "ref_text": self.ref_text,
            "languages": ",".join(self.languages),
            "pages": self.pages,
            "priority": "" if self.priority is JobPriority.DEFAULT else str(self.priority),
            "not_before": "" if self.not_before is None else repr(self.not_before),
            "webhook_url": self.webhook_url,
            "password": self.password,
            "text_layer": "" if self.text_layer else "off",
            "dpi": "" if self.dpi is None else f"{self.dpi:g}",
        }
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that was made; `replayed` = it had been made before, by the same Idempotency-Key."""

    job_id: str
    message: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands.

    `progress` is 0.0 to 100.0 per cent; `state` is finer than `status`: scheduled, queued, running,
    finalizing, done, partial, failed, cancelled; `raw` is the answer itself, for fields this version of
    the client does not know.
    """

    job_id: str
    filename: str
    status: str
    progress: float
    total_pages: int
    processed_pages: int
    created_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    error: str = ""
    failed_pages: tuple[int, ...] = ()
    eta_seconds: float | None = None
    pages_per_second: float | None = None
    state: str = ""
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Build from the body of the answer; unknown fields are kept in `raw`."""
        return cls(
            job_id=body["job_id"],
            filename=body.get("filename") or "",
            status=body["status"],
            progress=float(body.get("progress") or 0.0),
            total_pages=int(body.get("total_pages") or 0),
            processed_pages=int(body.get("processed_pages") or 0),
            created_at=body.get("created_at"),
            started_at=body.get("started_at"),
            completed_at=body.get("completed_at"),
            error=body.get("error") or "",
            failed_pages=tuple(body.get("failed_pages") or ()),
            eta_seconds=body.get("eta_seconds"),
            pages_per_second=body.get("pages_per_second"),
            state=(body.get("detail") or {}).get("state") or body["status"],
            raw=body,
        )

    @property
    def ended(self) -> bool:
        """Nothing will happen any more unless somebody asks for it."""
        return self.status in _ENDS

    @property
    def partial(self) -> bool:
        """It ended, and some pages are missing: `failed_pages` names them."""
        return self.state == "partial"


@dataclass(frozen=True, slots=True)
class JobList:
    """Some jobs, newest first; `next_cursor` asks for older ones, empty = there are none."""

    jobs: tuple[Job, ...]
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of a job as it stands.

    `status` is waiting, ready, processing, done, failed or cancelled; `source` is ocr or text (the PDF
    said it itself), empty until the page is done; `confidence` 0.0 to 1.0, None = not known.
    """

    number: int
    status: str
    source: str = ""
    engine: str = ""
    fallback_from: str = ""
    confidence: float | None = None
    attempts: int = 0
    finished_at: float | None = None
    error_code: str = ""
    error: str = ""
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Build from the body of the answer or of an event."""
        error = body.get("error") or {}
        return cls(
            number=int(body["number"]),
            status=body["status"],
            source=body.get("source") or "",
            engine=body.get("engine") or "",
            fallback_from=body.get("fallback_from") or "",
            confidence=body.get("confidence"),
            attempts=int(body.get("attempts") or 0),
            finished_at=body.get("finished_at"),
            error_code=error.get("code") or "",
            error=error.get("message") or "",
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class PageReading:
    """A page that is done: how it stands, what was read, and where each line is."""

    page: JobPage
    text: str
    markdown: str = ""
    warnings: tuple[Notice, ...] = ()
    layout: Page | None = None
    raw: Json = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """Build from the body of the answer."""
        layout: Any = body.get("page")
        return cls(
            page=JobPage.from_json(body),
            text=body.get("text") or "",
            markdown=body.get("markdown") or "",
            warnings=tuple(Notice(said["code"], said["message"]) for said in body.get("warnings") or ()),
            layout=page_from_json(layout) if layout else None,
            raw=body,
        )


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job: it changed, or one of its pages ended. `seq` grows."""

    seq: int
    job: Job | None = None
    page: JobPage | None = None
