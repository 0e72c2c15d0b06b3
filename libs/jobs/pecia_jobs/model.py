"""What a job is: its states, what was asked, and what is known of it. Plain data; no SQL, no I/O.

Times are seconds since 1970 by the database's clock. Page numbers count from 1; number 0 is the task that
puts a finished job together.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import Priority

ASSEMBLY = 0


class JobStatus(StrEnum):
    """The five words callers see."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """Where a job stands. scheduled -> queued -> running -> finalizing -> done | partial | failed.

    Anything that is not at its end can become cancelled. `partial`: some pages failed and are named.
    """

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    FINALIZING = "finalizing"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Nothing will happen any more unless somebody asks for it."""
        return self in _ENDS

    @property
    def status(self) -> JobStatus:
        """The word callers see."""
        return _STATUS[self]


_ENDS = frozenset({JobState.DONE, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})
_STATUS = {
    JobState.SCHEDULED: JobStatus.QUEUED,
    JobState.QUEUED: JobStatus.QUEUED,
    JobState.RUNNING: JobStatus.PROCESSING,
    JobState.FINALIZING: JobStatus.PROCESSING,
    JobState.DONE: JobStatus.COMPLETED,
    JobState.PARTIAL: JobStatus.COMPLETED,
    JobState.FAILED: JobStatus.FAILED,
    JobState.CANCELLED: JobStatus.CANCELLED,
}


class PageState(StrEnum):
    """ready -> leased -> done | failed; waiting = to be tried again, or not before its time."""

    WAITING = "waiting"
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PageSource(StrEnum):
    """Where a page's text is from: an engine looked at it, or the PDF says it itself."""

    OCR = "ocr"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What the caller wants from every page.

    Attributes:
        prompt: as the caller wrote it; kept for the record, `recognize` says what was understood.
        recognize: handed to the ocr service with each page.
        dpi: dots per inch PDF pages are drawn at.
        text_layer: use a PDF's own text where it can be trusted.
    """

    prompt: str = ""
    recognize: RecognizeOptions = field(default_factory=RecognizeOptions)
    dpi: float = 200.0
    text_layer: bool = True


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be made.

    Attributes:
        id: `{slug}_{YYYYMMDD_HHMMSS}_{8 hex}`, see `pecia_jobs.ids`.
        tenant: whose it is.
        filename: as the caller named it; shown to the owner, never logged.
        media_type: what the file is by its first bytes.
        input_key: blob that holds it.
        input_sha256: hex.
        input_bytes: of the input blob.
        page_numbers: which pages of the document, from 1, ascending, without repeats.
        document_pages: pages of the whole document.
        not_before: seconds since 1970; None = now.
        idempotency_key: one job per tenant and key; empty = none.
        idempotency_digest: of all that was asked: the same key with another digest is a conflict.
        webhook_url: told when the job ends; empty = nobody.
        password: opens an encrypted PDF; forgotten when the job ends. Left out of the repr.
        reference: what another system calls it (seed 003's document id); empty = nothing.
        notices: kinds of deliveries at its end, beside the webhook; see `pecia_jobs.outbox`.
    """

    id: str
    tenant: str
    filename: str
    media_type: str
    input_key: str
    input_sha256: str
    input_bytes: int
    page_numbers: tuple[int, ...]
    document_pages: int
    options: JobOptions = field(default_factory=JobOptions)
    priority: Priority = Priority.DEFAULT
    not_before: float | None = None
    idempotency_key: str = ""
    idempotency_digest: str = ""
    webhook_url: str = ""
    password: str = field(default="", repr=False)
    reference: str = ""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. `pages_total` counts the pages asked for; `bytes_stored` all its blobs.

    `seq` grows with everything that can be seen of the job: pages that end carry the number they ended with.
    """

    id: str
    tenant: str
    state: JobState
    filename: str
    media_type: str
    input_key: str
    input_bytes: int
    document_pages: int
    options: JobOptions
    priority: Priority
    pages_total: int
    pages_done: int
    pages_failed: int
    bytes_stored: int
    seq: int
    created: float
    not_before: float | None = None
    started: float | None = None
    finished: float | None = None
    expires: float | None = None
    error: str = ""
    webhook_url: str = ""
    reference: str = ""

    @property
    def status(self) -> JobStatus:
        """The word callers see."""
        return self.state.status

    @property
    def progress(self) -> float:
        """Per cent of the pages that are done or have failed, 0.0 to 100.0."""
        ended = self.pages_done + self.pages_failed
        return 100.0 * ended / self.pages_total if self.pages_total else 0.0


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of a job as it stands. `seq` is 0 until it ends; `confidence` None where it is not known."""

    job_id: str
    number: int
    state: PageState
    attempts: int
    seq: int = 0
    source: PageSource | None = None
    engine: str = ""
    fallback_from: str = ""
    confidence: float | None = None
    result_key: str = ""
    finished: float | None = None
    error_code: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A page somebody may work on, until the lease ends or is renewed. `number` 0 = put the job together.

    `token` is of this lease alone: whoever's token is no longer on the page has lost it. `attempt` counts
    from 1.
    """

    job_id: str
    tenant: str
    number: int
    token: str
    attempt: int


@dataclass(frozen=True, slots=True)
class PageResult:
    """What became of a leased page: its result lies in the blob `result_key` already."""

    lease: Lease
    result_key: str
    result_sha256: str
    result_bytes: int
    source: PageSource
    engine: str = ""
    fallback_from: str = ""
    confidence: float | None = None
