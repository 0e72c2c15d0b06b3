"""Looking at jobs: how far they are, what was read so far, and their documents."""

import re
from hashlib import sha256
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pecia_jobs.model import Job
from pecia_jobs.progress import Standing

from pecia_gateway.gateway import Gateway
from pecia_gateway.visits import Visit

_TYPES = {"markdown": "text/markdown", "text": "text/plain", "json": "application/json", "csv": "text/csv"}
_ENDINGS = {"markdown": "md", "text": "txt", "json": "json", "csv": "csv"}
_PRIVATE = {"cache-control": "private, no-store"}
# A picture may stay with who has seen it, who asks each time whether it is still theirs to see.
_KEPT = {"cache-control": "private, no-cache", "vary": "authorization"}
# Another one wherever pages are drawn in another way.
_DRAWN_AS = "1"
_LONGEST_STEM = 100
# What a file system takes for a path, and signs that are not seen, or turn what is seen around.
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+')


async def standing_of(job: Job, gateway: Gateway) -> Standing:
    """How far a job is; one without a pace of its own is judged by that of all engines."""
    pace = None
    if not job.state.terminal and not job.pages_done:
        pace = (await gateway.client.describe()).pages_per_second or None
    return await gateway.desk.service.standing(job, pace)


async def document(request: Request, visit: Visit, job_id: str, form: str, *, partial: bool) -> Response:
    """A document as a file.

    Raises:
        NotFound: no such job.
        Conflict: it is not completed, and the pages so far were not asked for.
    """
    service = visit.gateway.desk.service
    job = await service.job(visit.caller.tenant, job_id)
    found = await service.download(job, form, partial=partial)
    headers = {**visit.headers, **_PRIVATE, "content-disposition": attachment(job.filename, _ENDINGS[form])}
    if found.size is not None:
        headers["content-length"] = str(found.size)
    if request.method == "HEAD":
        await found.pieces.aclose()
        return Response(headers=headers, media_type=_TYPES[form])
    return StreamingResponse(found.pieces, headers=headers, media_type=_TYPES[form])


async def page_picture(request: Request, visit: Visit, which: tuple[str, int], dpi: int | None) -> Response:
    """A page of a job, by job and number, as a picture; nothing is drawn for who has it already.

    Raises:
        NotFound: no such job or page.
        PeciaError: as `PagePictures.page`.
    """
    desk, (job_id, number) = visit.gateway.desk, which
    spec = await desk.service.drawn_from(visit.caller.tenant, job_id, number)
    dots = dpi or visit.gateway.settings.pictures.dpi
    etag = f'"{sha256(f"{job_id} {number} {dots} {_DRAWN_AS}".encode()).hexdigest()[:32]}"'
    headers = {**visit.headers, **_KEPT, "etag": etag, "content-disposition": "inline"}
    known = request.headers.get("if-none-match", "")
    if etag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        return Response(status_code=304, headers=headers)
    found = await desk.pictures.page(spec, number, dots)
    return Response(found.data, headers=headers, media_type=found.media_type)


def attachment(filename: str, ending: str) -> str:
    """The header that has a browser save `result.md`, or, where it knows how, the document's own name."""
    stem = _UNSAFE.sub("_", filename.rpartition(".")[0] or filename).strip("._ ") or "result"
    name = quote(f"{stem[:_LONGEST_STEM]}.{ending}", safe="")
    return f"attachment; filename=\"result.{ending}\"; filename*=UTF-8''{name}"
