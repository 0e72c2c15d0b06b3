"""The pages of a request, taken in."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from pecia_core import errors
from pecia_core.recognition import RecognizeOptions
from pecia_core.upload import Upload
from pecia_fetch.fetcher import Weigh, weightless

from pecia_gateway.asks import Ask
from pecia_gateway.budget import Budget
from pecia_gateway.intake import Intake
from pecia_gateway.messages import Source
from pecia_gateway.settings import LimitSettings

_Result = TypeVar("_Result")
# Pages of one request at once: one caller with many pages leaves room for others.
_AT_ONCE = 4
_ABOUT_THE_PICTURE = (errors.InvalidDocument, errors.UnsupportedDocument, errors.TooLarge)


@dataclass(frozen=True, slots=True)
class Picture:
    """One page to read. `param` is the request field it came from."""

    data: bytes
    options: RecognizeOptions
    param: str


async def take_in(
    ask: Ask, intake: Intake, limits: LimitSettings, *, deadline: float, hold: Weigh = weightless
) -> list[Picture]:
    """The pictures of a request, one a page.

    What came with the request is counted before anything is fetched, what was fetched before anything is
    drawn, and pages before the first of a file is.

    Args:
        ask: names them.
        intake: gets them.
        limits: of one request.
        deadline: monotonic seconds.
        hold: told of fetched bytes while they arrive; may refuse.

    Raises:
        PeciaError: naming the field at fault.
    """
    most = limits.max_images
    if len(ask.sources) > most:
        raise errors.TooLarge(
            f"The request holds {len(ask.sources)} pictures; at most {most} are read at once.",
            code="request_too_large",
            param=ask.sources[most].param,
        )
    budget = Budget(limits, hold)
    try:
        async with asyncio.timeout(max(deadline - monotonic(), 0.0)):
            uploads = await _arrived(ask.sources, intake, limits, budget)
            files = await together(
                _pages(source, upload, intake, budget)
                for source, upload in zip(ask.sources, uploads, strict=True)
            )
    except TimeoutError:
        raise errors.DeadlineExceeded("The time given was over before the pictures had arrived.") from None
    found = [(source, data) for source, pages in zip(ask.sources, files, strict=True) for data in pages]
    return [
        Picture(data, ask.options_for(source, index), source.param)
        for index, (source, data) in enumerate(found)
    ]


async def _arrived(
    sources: Sequence[Source], intake: Intake, limits: LimitSettings, budget: Budget
) -> list[Upload]:
    """The files, in order: first those that came with the request, then those that have to be fetched."""
    arrived: dict[int, Upload] = {}
    inline = [index for index, source in enumerate(sources) if source.url.lstrip()[:5].lower() == "data:"]
    for index in inline:
        arrived[index] = await _upload(sources[index], intake, budget)
    elsewhere = [index for index in range(len(sources)) if index not in arrived]
    clock = asyncio.timeout(limits.max_fetch_s)
    try:
        async with clock:
            fetched = await together(_upload(sources[index], intake, budget) for index in elsewhere)
    except TimeoutError:
        if not clock.expired():
            raise
        raise errors.InvalidRequest(
            f"The downloads of this request took longer than {limits.max_fetch_s:g} s together. Send the "
            "pictures themselves, or fewer at once.",
            code="failed_to_download_image",
            param=sources[elsewhere[0]].param,
        ) from None
    arrived |= dict(zip(elsewhere, fetched, strict=True))
    return [arrived[index] for index in range(len(sources))]


async def _upload(source: Source, intake: Intake, budget: Budget) -> Upload:
    upload = await intake.from_url(source.url, param=source.param, hold=budget.hold)
    budget.take(upload, source.param)
    return upload


async def together(jobs: Iterable[Coroutine[Any, Any, _Result]], *, at_once: int = _AT_ONCE) -> list[_Result]:
    """The results in order, a few at a time; the first failure cancels what still runs."""
    room = asyncio.Semaphore(at_once)

    async def one(job: Coroutine[Any, Any, _Result]) -> _Result:
        async with room:
            return await job

    waiting = list(jobs)
    tasks = [asyncio.ensure_future(one(job)) for job in waiting]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in waiting:
            job.close()  # one that never began would be complained about


@contextmanager
def blaming(param: str) -> Iterator[None]:
    """Say in errors about a picture which field it came from: only the gateway knows more than one."""
    try:
        yield
    except _ABOUT_THE_PICTURE as error:
        error.param = param
        raise


async def _pages(source: Source, upload: Upload, intake: Intake, budget: Budget) -> list[bytes]:
    with blaming(source.param):
        return await intake.pages(upload, param=source.param, take_pages=budget.take_pages)
