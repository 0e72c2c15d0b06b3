"""Jobs: POST /v1/jobs and what can be asked of one. The same addresses without /v1 are the former ones."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pecia_core.keys import Scope
from pecia_jobs.model import JobStatus

from pecia_gateway.access import needs
from pecia_gateway.gateway import TheGateway
from pecia_gateway.jobs.events import follow
from pecia_gateway.jobs.looking import document, standing_of
from pecia_gateway.jobs.taking import take_in
from pecia_gateway.jobs.views import job_view, metadata_view
from pecia_gateway.jobs.waiting import read_pdf
from pecia_gateway.routes.of_a_job import CHANGING, LOOKING, JobId, TheVisit, twins
from pecia_gateway.schemas.jobs import (
    JobCreated,
    JobForm,
    JobGone,
    JobList,
    JobMetadata,
    JobView,
    PdfForm,
    PdfResults,
)
from pecia_gateway.schemas.problem import problems
from pecia_gateway.visits import admitted

router = APIRouter(tags=["Jobs"], dependencies=[needs(Scope.JOBS)])
both = twins(router)
CREATE_PATHS = ("/v1/jobs", "/v1/jobs/create", "/jobs", "/jobs/create")
WAIT_PATHS = ("/v1/ocr/pdf", "/ocr/pdf")
_MAKING = problems(400, 401, 403, 404, 409, 413, 415, 429, 500, 503)
_WAITING = problems(400, 401, 403, 404, 409, 413, 415, 429, 500, 503, 504)

Limit = Annotated[int, Query(ge=1, le=1000, description="Jobs in one answer.")]
Cursor = Annotated[str, Query(max_length=500, description="`next_cursor` of the answer before.")]
Status = Annotated[JobStatus | None, Query(description="Only jobs with this status.")]
Form = Annotated[
    Literal["markdown", "text", "json", "csv"],
    Query(alias="format", description="Of the document; csv = its tables alone, no cell of them a formula."),
]
Partial = Annotated[bool, Query(description="While the job runs: the pages so far, missing ones named.")]
After = Annotated[
    str, Query(max_length=40, description="The last `id` seen, for who cannot send Last-Event-ID.")
]


async def create_job(request: Request, response: Response, visit: TheVisit) -> JobCreated:
    """Send `multipart/form-data` with a `file` of any length; it is read page by page while nobody waits.

    The same `Idempotency-Key` with the same form gives the same job, with `x-idempotent-replay: true`: a
    request whose answer was lost can be sent again.
    """
    taken = await take_in(request, visit)
    if not taken.made:
        response.headers["x-idempotent-replay"] = "true"
    else:
        visit.audit("job.created", taken.job.id, pages=taken.job.pages_total)
    pages = taken.job.pages_total
    return JobCreated(job_id=taken.job.id, message=f"Job created successfully. Total pages: {pages}")


def _form(kind: type[JobForm | PdfForm]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_KEY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {
                "type": "string",
                "maxLength": 255,
                "examples": ["7d9b7c0e-2f3b-4b6e-9a55-3d0b7f6f3b11"],
            },
            "description": "What you call this request, of your own making; one job for each.",
        }
    ]
}
_LAST_SEEN: dict[str, Any] = {
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "The last `id` seen; browsers send it by themselves.",
        }
    ]
}
for _path in CREATE_PATHS:
    router.add_api_route(
        _path,
        create_job,
        methods=["POST"],
        summary="Make a job of a document",
        operation_id="create_job" + _path.replace("/", "_"),
        responses=_MAKING,
        openapi_extra={**_form(JobForm), **_KEY},
        include_in_schema=_path.startswith("/v1/"),
    )


@both("GET", "/jobs", summary="List your jobs", responses=LOOKING)
async def list_jobs(
    visit: TheVisit, limit: Limit = 100, cursor: Cursor = "", status: Status = None
) -> JobList:
    """Newest first. Jobs made meanwhile do not shift what a cursor leads to."""
    found, following = await visit.gateway.desk.service.listed(
        visit.caller.tenant, status=status, cursor=cursor, limit=limit
    )
    return JobList(jobs=[job_view(one) for one in found], next_cursor=following or None)


@both("GET", "/jobs/{job_id}", summary="See how far a job is", responses=LOOKING)
async def get_job(visit: TheVisit, job_id: JobId) -> JobView:
    """Status, progress, pace, and when it will probably be done."""
    job = await visit.gateway.desk.service.job(visit.caller.tenant, job_id)
    return job_view(await standing_of(job, visit.gateway))


@both(
    "GET",
    "/jobs/{job_id}/events",
    summary="Follow a job",
    response_class=Response,
    responses={
        200: {
            "description": "`event: page` for each page that ends, `event: job` for each change.",
            "content": {"text/event-stream": {}},
        },
        **LOOKING,
    },
    openapi_extra=_LAST_SEEN,
)
async def follow_job(request: Request, gateway: TheGateway, job_id: JobId, after: After = "") -> Response:
    """Server-sent events until the job has ended: the job at once, then each page as it ends.

    `data` is what `/pages` and `/jobs/{id}` give. After a break, send the last `id` as `Last-Event-ID`: it
    goes on without gap or repeat.
    """
    with admitted(request, gateway) as visit:  # not held: whoever follows for hours has a place of its own
        return await follow(request, visit, job_id, after)


@both(
    "GET",
    "/jobs/{job_id}/download",
    summary="Get the document",
    response_class=Response,
    responses={
        200: {
            "description": "A file to be saved.",
            "content": {
                "text/markdown": {"schema": {"type": "string"}},
                "text/plain": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        **CHANGING,
    },
)
async def download(
    request: Request, visit: TheVisit, job_id: JobId, *, form: Form = "markdown", partial: Partial = False
) -> Response:
    """All pages as one file. Pages that could not be read are named where they would stand."""
    answer = await document(request, visit, job_id, form, partial=partial)
    visit.audit("job.downloaded", job_id, format=form)
    return answer


@both("GET", "/jobs/{job_id}/metadata", summary="See what became of a document", responses=LOOKING)
async def get_metadata(visit: TheVisit, job_id: JobId) -> JobMetadata:
    """What was asked, when it was done, and how long it took."""
    service = visit.gateway.desk.service
    return metadata_view(await service.standing(await service.job(visit.caller.tenant, job_id)))


@both("DELETE", "/jobs/{job_id}", summary="Cancel a job, or delete one that has ended", responses=CHANGING)
async def delete_job(visit: TheVisit, job_id: JobId) -> JobGone:
    """A job that runs is cancelled and stays visible; one that has ended goes, with all its files."""
    cancelled = await visit.gateway.desk.service.delete(visit.caller.tenant, job_id)
    visit.audit("job.cancelled" if cancelled else "job.deleted", job_id)
    return JobGone(message="Job cancelled" if cancelled else "Job deleted")


@both("POST", "/jobs/{job_id}/cancel", summary="Cancel a job", responses=CHANGING)
async def cancel_job(visit: TheVisit, job_id: JobId) -> JobView:
    """Pages in work stop within a second; those that were read stay. A job that has ended stays as it is."""
    job = await visit.gateway.desk.service.cancel(visit.caller.tenant, job_id)
    visit.audit("job.cancelled", job_id)
    return job_view(await standing_of(job, visit.gateway))


@both("POST", "/jobs/{job_id}/resume", summary="Read what is missing", responses=CHANGING)
async def resume_job(visit: TheVisit, job_id: JobId) -> JobView:
    """All pages that failed or were cancelled are read again; those that were read are kept."""
    job = await visit.gateway.desk.service.rerun(visit.caller.tenant, job_id)
    visit.audit("job.rerun", job_id)
    return job_view(await standing_of(job, visit.gateway))


async def read_pdf_now(request: Request, response: Response, visit: TheVisit) -> PdfResults:
    """The former system's address: it waits. Make a job instead, which no proxy's patience ends."""
    response.headers["deprecation"] = "@1763683200"
    response.headers["link"] = '</v1/jobs>; rel="successor-version"'
    return await read_pdf(request, visit)


for _path in WAIT_PATHS:
    router.add_api_route(
        _path,
        read_pdf_now,
        methods=["POST"],
        summary="Read a PDF while you wait",
        operation_id="read_pdf" + _path.replace("/", "_"),
        deprecated=True,
        responses=_WAITING,
        openapi_extra={**_form(PdfForm), **_KEY},
        include_in_schema=_path.startswith("/v1/"),
    )
