"""What the routes of jobs take and answer."""

from typing import Any, Literal

from pecia_jobs.model import JobState, JobStatus, PageSource
from pecia_jobs.reviews import ReviewStatus
from pydantic import BaseModel, Field

from pecia_gateway.schemas.completions import OcrNotice

_ID = "document.pdf_20251121_120000_0123abcd"


class JobForm(BaseModel):
    """The fields of a new job's form."""

    file: bytes = Field(description="A PDF, a TIFF of any length, or a picture.")
    prompt: str | None = Field(
        None,
        description="A known prompt chooses the task.",
        examples=["<image>\n<|grounding|>Convert the document to markdown."],
    )
    model: str | None = Field(None, description="As in /v1/models; `auto` when absent.")
    model_size: str | None = Field(None, description="Tiny, Small, Base, Large or Gundam.")
    task_type: str | None = Field(None, description="`markdown` when neither this nor the prompt says it.")
    ref_text: str | None = Field(None, description="What to look for; `locate` needs it.")
    languages: str | None = Field(None, description="ISO 639 codes, joined by commas.", examples=["ind,eng"])
    pages: str | None = Field(
        None, description="Pages and ranges, from 1; all when absent.", examples=["1-3,7,10-"]
    )
    priority: Literal["low", "default", "high"] | None = Field(
        None, description="Among the caller's own jobs."
    )
    not_before: str | None = Field(
        None,
        description="Begin no earlier: seconds since 1970, or ISO 8601 (UTC where no zone is said).",
        examples=["2030-01-31T08:00:00+07:00"],
    )
    webhook_url: str | None = Field(None, description="Told when the job ends; https, a public address.")
    password: str | None = Field(None, description="Opens an encrypted PDF; forgotten when the job ends.")
    text_layer: Literal["auto", "off"] | None = Field(
        None, description="`off`: read every page, also where the PDF says its text itself."
    )
    dpi: float | None = Field(None, description="Dots per inch PDF pages are drawn at, 72 to 600.")
    figures: bool | None = Field(
        None, description="Keep the figures of the pages: Markdown shows them, `/figures` gives them."
    )


class JobCreated(BaseModel):
    """A job was made, or the one made before under the same Idempotency-Key."""

    success: Literal[True] = True
    job_id: str = Field(examples=[_ID])
    message: str = Field(examples=["Job created successfully. Total pages: 50"])


class JobReview(BaseModel):
    """What people were asked about a document, and what they said."""

    status: ReviewStatus
    score: float | None = Field(description="0 to 100, how sure the reading was; null = not known.")
    notes: str = Field(description="Of who decided.")
    asked_at: float = Field(description="Seconds since 1970.")
    decided_at: float | None = Field(description="The same; null = nobody has decided yet.")


class JobDetail(BaseModel):
    """What the former system had no field for."""

    state: JobState = Field(description="`partial`: completed, but for the failed pages.")
    priority: Literal["low", "default", "high"]
    not_before: float | None = Field(description="Seconds since 1970.")
    document_pages: int = Field(description="Of the whole document; `total_pages` are those asked for.")
    text_pages: int | None = Field(description="Pages whose text the PDF said itself; null in lists.")
    media_type: str
    model: str
    task_type: str
    webhook_url: str | None
    expires_at: float | None = Field(description="When it may be deleted; null until it has ended.")
    queue_ahead: int | None = Field(description="Pages due before its first, about; null once it runs.")
    review: JobReview | None = Field(None, description="Null where nobody was asked, and in lists.")


class JobView(BaseModel):
    """A job as it stands. Times are seconds since 1970."""

    job_id: str = Field(examples=[_ID])
    filename: str
    status: JobStatus
    progress: float = Field(description="Per cent, 0.0 to 100.0.", examples=[42.0])
    total_pages: int
    processed_pages: int
    created_at: float
    started_at: float | None
    completed_at: float | None
    error: str | None = Field(description="Why it failed.")
    failed_pages: list[int] = Field(description="Numbers of the pages that could not be read.")
    eta_seconds: float | None = Field(description="Until it is done, by the pace so far; null = not known.")
    pages_per_second: float | None = Field(description="Of this job, over its last pages; null = not known.")
    detail: JobDetail


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobView]
    next_cursor: str | None = Field(description="For the next ones; null = these were the last.")


class PageProblem(BaseModel):
    """Why a page could not be read."""

    code: str
    message: str


class PageView(BaseModel):
    """A page of a job as it stands."""

    number: int = Field(description="Of the document, from 1.")
    status: Literal["waiting", "ready", "processing", "done", "failed", "cancelled"]
    source: PageSource | None = Field(
        description="`ocr`: an engine looked at it; `text`: the PDF says it itself."
    )
    engine: str
    fallback_from: str
    confidence: float | None = Field(description="0.0 to 1.0; null = not known.")
    attempts: int
    finished_at: float | None
    error: PageProblem | None


class PageList(BaseModel):
    """All pages of a job, by number."""

    pages: list[PageView]


class PageFigure(BaseModel):
    """A figure that was cut out of a page: `GET /v1/jobs/{job_id}/figures/{number}/{name}.jpg`."""

    name: str = Field(description="As the page's Markdown names it.", examples=["figure-1"])
    block: int = Field(description="`reading_order` of its block.")
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")


class PageRead(PageView):
    """A page with what was read on it."""

    text: str
    markdown: str
    model: str
    finish_reason: str = "stop"
    warnings: list[OcrNotice] = Field(default_factory=list)
    timings: dict[str, float] = Field(default_factory=dict, description="Milliseconds.")
    agreement: float | None = Field(
        None, description="How far two engines agree on the page, 0.0 to 1.0; null = one has read it."
    )
    figures: list[PageFigure] = Field(default_factory=list, description="Where `figures` was asked for.")
    page: dict[str, Any] = Field(description="Blocks > lines > words, with their places.")


class JobMetadata(BaseModel):
    """What became of a document."""

    filename: str
    total_pages: int
    processed_at: str | None = Field(description="ISO 8601, UTC; null until it has ended.")
    processing_time_seconds: float | None
    prompt_used: str
    job_id: str
    status: JobStatus
    processed_pages: int
    failed_pages: list[int]
    text_pages: int
    media_type: str
    model: str
    task_type: str
    languages: list[str]
    dpi: float
    review: JobReview | None = Field(None, description="Null where nobody was asked.")


class JobGone(BaseModel):
    """A job was stopped, or deleted with everything that belongs to it."""

    success: Literal[True] = True
    message: Literal["Job cancelled", "Job deleted"]


class PdfForm(BaseModel):
    """The form of the former system."""

    file: bytes = Field(description="A PDF, TIFF or picture.")
    prompt: str | None = Field(None, description="A known prompt chooses the task.")


class PdfResults(BaseModel):
    """The answer of the former system."""

    results: str = Field(description="The whole document as Markdown.")
    success: Literal[True] = True
    filename: str
    total_pages: int
    failed_pages: list[int]
    job_id: str = Field(examples=[_ID])
