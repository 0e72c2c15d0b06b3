"""How several pages are read as one document: choose -> admit -> turn upright -> queue -> worker -> reply.

Only models that were taught to are shown several pages, in groups as large as they take. A page that this
does not bring, or on which the model begins to repeat itself, is read by itself, as any other is.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from time import monotonic

from pecia_core.errors import (
    EngineFailed,
    InvalidDocument,
    InvalidRequest,
    OutOfMemory,
    TooLarge,
    Unavailable,
    UnsupportedDocument,
)
from pecia_core.recognition import Delta, Event, Notice, Recognition, Started
from pecia_core.vocabulary import EngineName, FinishReason
from prometheus_client import CollectorRegistry, Counter

from pecia_ocr.admission import Admission
from pecia_ocr.pipeline import Asker, Pipeline, cleaned, within
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.witness import Witness

_MOST = 100
# What may be one page's fault, or go well with one page at a time.
_MENDABLE = (EngineFailed, InvalidDocument, OutOfMemory, Unavailable)


class Trouble(StrEnum):
    """Why a page was read by itself."""

    UNABLE = "unable"
    REPETITION = "repetition"
    LENGTH = "length"
    MISSING = "missing"
    FAILED = "failed"


_WHY = {
    Trouble.UNABLE: "This model reads one page at a time: so was this one.",
    Trouble.REPETITION: "The model repeated itself while it read several pages; this one was read by itself.",
    Trouble.LENGTH: "The answer about several pages grew too long; this one was read by itself.",
    Trouble.MISSING: "The model left this page out when it read several; it was read by itself.",
    Trouble.FAILED: "Reading several pages together failed; this one was read by itself.",
}
_UNFINISHED = {FinishReason.REPETITION: Trouble.REPETITION, FinishReason.LENGTH: Trouble.LENGTH}


@dataclass(slots=True)
class _Progress:
    """How far a group has come. `heard`: some text of the page at hand has gone out."""

    pages: int
    trouble: Trouble | None = None
    done: int = 0
    heard: bool = False

    def take(self, recognition: Recognition) -> bool:
        """Whether the page is as good as it gets: an unfinished one that nobody heard is to be read again."""
        trouble = _UNFINISHED.get(recognition.finish_reason)
        if self.done == self.pages or (trouble and not self.heard):
            self.trouble = trouble or Trouble.FAILED
            return False
        self.done, self.heard, self.trouble = self.done + 1, False, trouble or Trouble.MISSING
        return True


class Together:
    """Reads several pages of one caller."""

    def __init__(
        self, pipeline: Pipeline, witness: Witness, admission: Admission, metrics: CollectorRegistry
    ) -> None:
        """Register `pecia_pages_read_apart_total`.

        Args:
            pipeline: reads a page by itself.
            witness: sees which way up pages stand.
            admission: the limits.
            metrics: of this process.
        """
        self.pipeline = pipeline
        self._witness = witness
        self._admission = admission
        self._apart = Counter(
            "pecia_pages_read_apart_total",
            "Pages read by themselves that should have been read with others, by why.",
            ("trouble",),
            registry=metrics,
        )

    async def recognize(
        self, pages: Sequence[PageInput], asker: Asker
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """The events of each page, page after page, each ended with its Recognition, and whose they are.

        Who is not `asker.streaming` hears of a page when it is whole: no text, only Started and Recognitions.

        Args:
            pages: with the options of the first; the others' page_index follows from its.
            asker: who wants them, and how long they wait for all together.

        Raises:
            PeciaError: they were refused or cannot be read; `param` says which of `pictures` is at fault.
        """
        ends = monotonic() + self.pipeline.budget(asker)
        pages = self._checked(pages, asker)
        lane = self.pipeline.registry.choose(pages[0].options).lane
        most = _most(lane) if _most(lane) > 1 else len(pages)
        for begin in range(0, len(pages), most):
            group = dict(enumerate(pages[begin : begin + most], begin))
            async with aclosing(self._group(group, lane, asker, ends)) as events:
                async for number, event in events:
                    yield number, event

    def _checked(self, pages: Sequence[PageInput], asker: Asker) -> list[PageInput]:
        if not pages:
            raise InvalidRequest(
                "The request has no pictures.", code="missing_required_parameter", param="pictures"
            )
        if len(pages) > _MOST:
            raise TooLarge(
                f"{len(pages)} pages came at once; at most {_MOST} are read together. Send fewer, or a job.",
                code="request_too_large",
                param="pictures",
            )
        options = cleaned(pages[0].options)
        for number, page in enumerate(pages):
            with blaming(number):
                self._admission.check_picture(page)
        return [
            replace(page, options=replace(options, page_index=number), tenant=asker.tenant)
            for number, page in enumerate(pages, options.page_index)
        ]

    async def _group(
        self, pages: Mapping[int, PageInput], lane: Lane, asker: Asker, ends: float
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """Together as far as that goes, the rest one by one. `pages`: by their number."""
        numbers, progress = list(pages), _Progress(len(pages))
        if len(pages) > 1 and _most(lane) == 1:
            progress.trouble = Trouble.UNABLE
        elif len(pages) > 1:
            async with aclosing(self._at_once([*pages.values()], lane, asker, ends, progress)) as events:
                async for event in events:
                    yield numbers[progress.done - isinstance(event, Recognition)], event
        for number in numbers[progress.done :]:
            if progress.trouble:
                self._apart.labels(progress.trouble).inc()
            alone = replace(asker, remaining_s=ends - monotonic())
            with blaming(number):
                async with aclosing(self.pipeline.recognize(pages[number], alone)) as events:
                    async for event in events:
                        if said := _flagged(event, progress.trouble, streaming=asker.streaming):
                            yield number, said

    async def _at_once(
        self, pages: list[PageInput], lane: Lane, asker: Asker, ends: float, progress: _Progress
    ) -> AsyncGenerator[Event, None]:
        """One reading of all; `progress` says which pages it brought."""
        progress.trouble = Trouble.MISSING
        with ExitStack() as stack:
            for page in pages[1:]:
                stack.enter_context(self._admission.hold(page))
            place = stack.enter_context(self._admission.admit(pages[0], lane, ends - monotonic()))
            if lane.name is EngineName.DEEPSEEK:
                pages = [await self._witness.upright(page) for page in pages]
            place.begin()
            together = replace(pages[0], further=tuple(pages[1:]))
            try:
                async with aclosing(lane.read(together)) as events:
                    async for event in within(events, ends):
                        if isinstance(event, Recognition):
                            if not progress.take(event):
                                return
                            yield event
                        elif asker.streaming or isinstance(event, Started):
                            progress.heard |= isinstance(event, Delta)
                            yield event
            except _MENDABLE:
                if progress.heard:
                    raise
                progress.trouble = Trouble.FAILED


def _most(lane: Lane) -> int:
    """Pages its engine reads as one document."""
    return lane.info.pages_together if lane.info else 1


def _flagged(event: Event, trouble: Trouble | None, *, streaming: bool) -> Event | None:
    """What is told of a page that is read by itself."""
    if trouble and isinstance(event, Recognition):
        notice = Notice("page_read_apart", _WHY[trouble])
        return replace(event, warnings=(notice, *event.warnings))
    return event if streaming or isinstance(event, Started | Recognition) else None


@contextmanager
def blaming(number: int) -> Iterator[None]:
    """Say in errors about a picture which it is."""
    try:
        yield
    except (InvalidDocument, UnsupportedDocument, TooLarge) as error:
        error.param = f"pictures[{number}]"
        raise
