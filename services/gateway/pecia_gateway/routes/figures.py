"""GET /jobs/{id}/figures/{page}/{name}.jpg: what a job's Markdown names, relative to its own address."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pecia_core.keys import Scope

from pecia_gateway.access import needs
from pecia_gateway.routes.of_a_job import CHANGING, JobId, PageNumber, TheVisit, twins

router = APIRouter(tags=["Jobs"], dependencies=[needs(Scope.JOBS)])
both = twins(router)
FigureName = Annotated[
    str,
    Path(
        pattern=r"^figure-[1-9]\d{0,5}\.jpg$", description="As Markdown says it.", examples=["figure-1.jpg"]
    ),
]


@both(
    "GET",
    "/jobs/{job_id}/figures/{number}/{name}",
    summary="Get a figure of a page",
    response_class=Response,
    responses={
        200: {
            "description": "The figure, upright.",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        },
        **CHANGING,
    },
)
async def get_figure(visit: TheVisit, job_id: JobId, number: PageNumber, name: FigureName) -> Response:
    """A JPEG, where the job was made with `figures=true`: its Markdown leads here."""
    stem = name.removesuffix(".jpg")
    jpeg = await visit.gateway.desk.service.figure(visit.caller.tenant, job_id, number, stem)
    visit.audit("job.page_read", job_id, page=number)
    headers = {**visit.headers, "cache-control": "private, no-store"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)
