"""Jobs and their pages as the gateway tells of them, and what is asked of a job.

Times are seconds since 1970; page numbers count from 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pecia_ui.asking import AUTO, LOCATE, TASKS
from pecia_ui.reading import Page

Json = Mapping[str, Any]

PRIORITIES = ("default", "high", "low")
STATUSES = ("queued", "processing", "completed", "failed", "cancelled")
_ENDS = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobAsk:
    """A document and all that can be wanted of it. `task` is a label of TASKS; empty = the gateway's own."""

    document: bytes = field(repr=False)
    name: str = "document"
    task: str = "Free OCR"
    size: str = ""
    model: str = AUTO
    ref_text: str = ""
    languages: str = ""
    pages: str = ""
    priority: str = "default"
    not_before: float | None = None
    webhook_url: str = ""
    password: str = field(default="", repr=False)
    text_layer: bool = True

    @property
    def lacks_ref_text(self) -> bool:
        """Whether it says what to do but not with what."""
        return TASKS[self.task][0] == LOCATE and not self.ref_text.strip()

    def form(self) -> dict[str, str]:
        """The fields of the form beside the file; what is not said is left out."""
        task_type = TASKS[self.task][0]
        said = {
            "task_type": task_type,
            "model_size": self.size,
            "model": self.model,
            "ref_text": self.ref_text.strip() if task_type == LOCATE else "",
            "languages": self.languages.replace(" ", ""),
            "pages": self.pages.replace(" ", ""),
            "priority": self.priority,
            "not_before": "" if self.not_before is None else repr(self.not_before),
            "webhook_url": self.webhook_url.strip(),
            "password": self.password,
            "text_layer": "auto" if self.text_layer else "off",
        }
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands.

    `progress` is 0.0 to 1.0; `state` is finer than `status`: scheduled, queued, running, finalizing, done,
    partial, failed, cancelled; `document_pages` counts all pages of the document, `total_pages` those asked
    for.
    """

    id: str
    filename: str
    status: str
    state: str
    progress: float
    total_pages: int
    processed_pages: int
    document_pages: int
    failed_pages: tuple[int, ...] = ()
    created_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    not_before: float | None = None
    eta_s: float | None = None
    pages_per_s: float | None = None
    queue_ahead: int | None = None
    error: str = ""

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """From the gateway's own words."""
        detail = body.get("detail") or {}
        total = int(body.get("total_pages") or 0)
        return cls(
            id=str(body["job_id"]),
            filename=str(body.get("filename") or ""),
            status=str(body["status"]),
            state=str(detail.get("state") or body["status"]),
            progress=min(1.0, max(0.0, float(body.get("progress") or 0.0) / 100)),
            total_pages=total,
            processed_pages=int(body.get("processed_pages") or 0),
            document_pages=int(detail.get("document_pages") or total),
            failed_pages=tuple(int(number) for number in body.get("failed_pages") or ()),
            created_at=body.get("created_at"),
            started_at=body.get("started_at"),
            completed_at=body.get("completed_at"),
            not_before=detail.get("not_before"),
            eta_s=body.get("eta_seconds"),
            pages_per_s=body.get("pages_per_second"),
            queue_ahead=detail.get("queue_ahead"),
            error=str(body.get("error") or ""),
        )

    @property
    def ended(self) -> bool:
        """Nothing will happen any more unless somebody asks for it."""
        return self.status in _ENDS

    @property
    def has_result(self) -> bool:
        """Whether it is complete as far as it ever will be by itself."""
        return self.status == "completed"

    @property
    def lacks_pages(self) -> bool:
        """Whether a resume would read something."""
        return self.ended and self.processed_pages < self.total_pages


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page as it stands. `status` is waiting, ready, processing, done, failed or cancelled."""

    number: int
    status: str
    source: str = ""
    engine: str = ""
    fallback_from: str = ""
    confidence: float | None = None
    attempts: int = 0
    error_code: str = ""
    error: str = ""

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """From the gateway's own words."""
        error = body.get("error") or {}
        return cls(
            number=int(body["number"]),
            status=str(body["status"]),
            source=str(body.get("source") or ""),
            engine=str(body.get("engine") or ""),
            fallback_from=str(body.get("fallback_from") or ""),
            confidence=body.get("confidence"),
            attempts=int(body.get("attempts") or 0),
            error_code=str(error.get("code") or ""),
            error=str(error.get("message") or ""),
        )


@dataclass(frozen=True, slots=True)
class PageText:
    """What was read on a page, and where; `layout` None = the gateway does not say."""

    page: JobPage
    text: str
    markdown: str = ""
    layout: Page | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, body: Json) -> Self:
        """From the gateway's own words."""
        layout = body.get("page")
        return cls(
            page=JobPage.from_json(body),
            text=str(body.get("text") or ""),
            markdown=str(body.get("markdown") or ""),
            layout=Page.from_json(layout) if layout else None,
            warnings=tuple(str(said.get("message") or "") for said in body.get("warnings") or ()),
        )


@dataclass(frozen=True, slots=True)
class JobList:
    """Some jobs, newest first; `next_cursor` asks for older ones, empty = there are none."""

    jobs: tuple[Job, ...] = ()
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened: the job changed, or one of its pages ended. `seq` grows."""

    seq: int
    job: Job | None = None
    page: JobPage | None = None
