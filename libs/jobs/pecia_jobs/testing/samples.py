"""Jobs to put in, and what a worker says of a page."""

from pecia_jobs.blobs import input_key, page_key
from pecia_jobs.model import Lease, NewJob, PageResult, PageSource


def sample_job(number: int = 1, pages: int = 1, *, tenant: str = "anna", **other: object) -> NewJob:
    """A job by number; `other` are fields of `NewJob`."""
    job_id = f"scan.pdf_20260101_000000_{number:08x}"
    values: dict[str, object] = {
        "id": job_id,
        "tenant": tenant,
        "filename": "scan.pdf",
        "media_type": "application/pdf",
        "input_key": input_key(tenant, job_id, "application/pdf"),
        "input_sha256": "0" * 64,
        "input_bytes": 1000,
        "page_numbers": tuple(range(1, pages + 1)),
        "document_pages": pages,
        "idempotency_digest": f"digest-{number}",
    }
    return NewJob(**(values | other))  # type: ignore[arg-type] # names of fields, as the caller wrote them


def result_of(lease: Lease, size: int = 10) -> PageResult:
    """A page that was read; its blob has `size` bytes."""
    key = page_key(lease.tenant, lease.job_id, lease.number, lease.token)
    return PageResult(lease, key, "0" * 64, size, PageSource.OCR, "rapid", confidence=0.9)
