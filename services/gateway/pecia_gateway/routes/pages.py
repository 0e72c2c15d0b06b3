"""The pages of a job: what was read on each, and how it looks."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pecia_core.keys import Scope

from pecia_gateway.access import needs
from pecia_gateway.jobs.looking import page_picture, standing_of
from pecia_gateway.jobs.views import job_view, page_read, page_view
from pecia_gateway.routes.of_a_job import CHANGING, LOOKING, JobId, PageNumber, TheVisit, twins
from pecia_gateway.schemas.jobs import JobView, PageList, PageRead
from pecia_gateway.schemas.problem import problems

router = APIRouter(tags=["Jobs"], dependencies=[needs(Scope.JOBS)])
both = twins(router)
_PICTURING = problems(400, 401, 403, 404, 409, 410, 413, 429, 500, 503)
Dpi = Annotated[int | None, Query(ge=36, le=200, description="Dots per inch, of PDFs; 110 when absent.")]


@both("GET", "/jobs/{job_id}/pages", summary="List the pages of a job", responses=LOOKING)
async def list_pages(visit: TheVisit, job_id: JobId) -> PageList:
    """Each page with its state, what read it, and why it could not be read."""
    pages = await visit.gateway.desk.service.pages(visit.caller.tenant, job_id)
    return PageList(pages=[page_view(page) for page in pages])


@both("GET", "/jobs/{job_id}/pages/{number}", summary="Look at a page that was read", responses=CHANGING)
async def get_page(visit: TheVisit, job_id: JobId, number: PageNumber) -> PageRead:
    """Its text, Markdown and places, as soon as it has been read: the job may still run."""
    page, result = await visit.gateway.desk.service.page(visit.caller.tenant, job_id, number)
    visit.audit("job.page_read", job_id, page=number)
    return page_read(page, result)


@both(
    "GET",
    "/jobs/{job_id}/pages/{number}/image",
    summary="See a page",
    response_class=Response,
    responses={
        200: {
            "description": "Of a PDF a JPEG; pictures and pages of a TIFF as they were sent.",
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "As it was: `If-None-Match` named its `ETag`."},
        **_PICTURING,
    },
)
async def get_page_image(
    request: Request, visit: TheVisit, job_id: JobId, number: PageNumber, dpi: Dpi = None
) -> Response:
    """The page as it stands in the document, to be held beside its text: also before it has been read.

    Of an encrypted PDF only while its job runs: the password is forgotten with the end.
    """
    answer = await page_picture(request, visit, (job_id, number), dpi)
    visit.audit("job.page_seen", job_id, page=number)
    return answer


@both("POST", "/jobs/{job_id}/pages/{number}/rerun", summary="Read a page again", responses=CHANGING)
async def rerun_page(visit: TheVisit, job_id: JobId, number: PageNumber) -> JobView:
    """Whatever became of it before; the documents are put together anew afterwards."""
    job = await visit.gateway.desk.service.rerun(visit.caller.tenant, job_id, [number])
    visit.audit("job.rerun", job_id)
    return job_view(await standing_of(job, visit.gateway))
