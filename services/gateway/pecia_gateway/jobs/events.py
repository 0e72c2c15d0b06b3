"""What happens to a job, as server-sent events that can be taken up again where they broke off."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from fastapi import Request
from fastapi.responses import Response
from pecia_core.errors import InvalidRequest, NotFound
from pecia_jobs.model import Job, JobPage
from pydantic import BaseModel

from pecia_gateway.jobs.looking import standing_of
from pecia_gateway.jobs.views import job_view, page_view
from pecia_gateway.streaming import KEEP_ALIVE, EventStream
from pecia_gateway.visits import Visit

_TYPE = "text/event-stream; charset=utf-8"
_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no", "content-type": _TYPE}
_MOST_DIGITS = 18
Seen = tuple[JobPage | Job, int | None]


async def follow(request: Request, visit: Visit, job_id: str, after: str) -> Response:
    """The events of a job from the last one seen on; `after` may say it where a header cannot.

    Raises:
        NotFound: no such job.
        InvalidRequest: the last event's id is none of ours.
        Overloaded: this caller follows too many jobs already.
    """
    gateway = visit.gateway
    job = await gateway.desk.service.job(visit.caller.tenant, job_id)
    seen = _number(request.headers.get("last-event-id") or after)
    if request.method == "HEAD":
        return Response(headers={**_HEADERS, **visit.headers})
    async with AsyncExitStack() as stack:
        stack.enter_context(gateway.desk.streams.hold(visit.caller.tenant))
        pulses = _pulses(gateway.desk.service.watch(job, seen), visit)
        frames = _until(pulses, request.app.state.leaving)
        return EventStream(frames, stack.pop_all(), visit.headers, visit.note_problem)


def _number(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise InvalidRequest("Last-Event-ID is the `id` of an event of this job.", param="Last-Event-ID")
    return int(text)


async def _pulses(changes: AsyncGenerator[Seen, None], visit: Visit) -> AsyncGenerator[bytes, None]:
    """Each change as a frame, and a comment after each silence."""
    every_s = visit.gateway.settings.http.sse_keep_alive_s
    coming: asyncio.Future[Seen | None] | None = None
    async with aclosing(changes):
        try:
            while True:
                coming = asyncio.ensure_future(_next(changes))
                while not (await asyncio.wait({coming}, timeout=every_s))[0]:
                    yield KEEP_ALIVE
                change = coming.result()
                if change is None:
                    return
                yield await _told(change, visit)
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)


async def _next(changes: AsyncIterator[Seen]) -> Seen | None:
    try:
        return await anext(changes, None)
    except NotFound:  # deleted meanwhile: there is nothing more to tell
        return None


async def _told(change: Seen, visit: Visit) -> bytes:
    what, number = change
    if isinstance(what, JobPage):
        return _frame("page", page_view(what), number)
    return _frame("job", job_view(await standing_of(what, visit.gateway)), number)


def _frame(event: str, body: BaseModel, number: int | None) -> bytes:
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {event}\ndata: {body.model_dump_json()}\n\n".encode()


async def _until(frames: AsyncGenerator[bytes, None], leaving: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """The frames until this gateway stops: its clients go on elsewhere, from the last event they saw."""
    stop = asyncio.ensure_future(leaving.wait())
    coming: asyncio.Future[bytes | None] | None = None
    async with aclosing(frames):
        try:
            while not stop.done():
                coming = asyncio.ensure_future(anext(frames, None))
                await asyncio.wait({coming, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done() or (frame := coming.result()) is None:
                    return
                yield frame
        finally:
            for waiting in (stop, coming):
                if waiting is not None:
                    waiting.cancel()
            await asyncio.gather(*(one for one in (stop, coming) if one is not None), return_exceptions=True)
