"""The former system's way: send a PDF, wait, get its text. A job does the work meanwhile."""

import asyncio

from fastapi import Request
from pecia_core.errors import Cancelled, DeadlineExceeded, EngineFailed, NotFound
from pecia_jobs.model import Job, JobState
from pecia_jobs.service import JobService

from pecia_gateway.disconnection import while_connected
from pecia_gateway.jobs.taking import take_in
from pecia_gateway.schemas.jobs import PdfResults
from pecia_gateway.visits import Visit

_LOOK_S = 0.25


async def read_pdf(request: Request, visit: Visit) -> PdfResults:
    """Make a job of the form and wait for it; a caller who hangs up cancels it.

    Raises:
        PeciaError: the form is refused, or nothing could be read.
    """
    service = visit.gateway.desk.service
    taken = await take_in(request, visit)
    if taken.made:
        visit.audit("job.created", taken.job.id, pages=taken.job.pages_total)
    try:
        job = await while_connected(request.receive, _ended(service, taken.job, visit))
    except Cancelled:
        if taken.made:
            await service.cancel(taken.job.tenant, taken.job.id)
        raise
    if job.state is JobState.CANCELLED:
        raise Cancelled("The job was cancelled by somebody else.")
    if job.state is JobState.FAILED:
        raise EngineFailed(f"No page could be read. {job.error}".strip())
    return await _results(service, job)


async def _ended(service: JobService, job: Job, visit: Visit) -> Job:
    limit_s = visit.gateway.settings.jobs.wait_s
    try:
        async with asyncio.timeout(limit_s):
            while not job.state.terminal:
                await asyncio.sleep(_LOOK_S)
                job = await service.job(job.tenant, job.id)
    except TimeoutError:
        raise DeadlineExceeded(
            f"The document takes longer than {limit_s:g} s. It goes on as a job: GET /v1/jobs/{job.id}."
        ) from None
    except NotFound:
        raise Cancelled("The job was deleted by somebody else.") from None
    return job


async def _results(service: JobService, job: Job) -> PdfResults:
    found = await service.download(job, "markdown", partial=False)
    text = b"".join([piece async for piece in found.pieces]).decode("utf-8", "replace")
    standing = await service.standing(job)
    return PdfResults(
        results=text,
        filename=job.filename,
        total_pages=job.pages_total,
        failed_pages=list(standing.failed_pages),
        job_id=job.id,
    )
