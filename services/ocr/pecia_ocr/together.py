"""How several pages are read as one document: choose -> admit -> turn upright -> queue -> worker -> all.

Only a model that was taught to is shown several pages, and its answer counts as a whole or not at all: where
it repeats itself, grows too long or leaves out a mark, nobody knows which words are whose. Whoever asked is
told so, and reads the pages one by one.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from time import monotonic

from pecia_core.errors import Cancelled, DeadlineExceeded, EngineFailed, InvalidRequest, PeciaError
from pecia_core.recognition import Recognition, RecognizeOptions
from pecia_core.vocabulary import EngineName, ModelSize, TaskType
from prometheus_client import CollectorRegistry, Counter

from pecia_ocr.admission import Admission
from pecia_ocr.engines.base import blaming, not_together
from pecia_ocr.pipeline import Asker, Pipeline, cleaned
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.witness import Witness

_MAX_INDEX = 2**31 - 1
_READING = (TaskType.FREE_OCR, TaskType.MARKDOWN)


class Together:
    """Reads several pages of one caller."""

    def __init__(
        self, pipeline: Pipeline, witness: Witness, admission: Admission, metrics: CollectorRegistry
    ) -> None:
        """Register `pecia_pages_together_total`.

        Args:
            pipeline: reads pages one by one; knows the engines and how long a caller may wait.
            witness: sees which way up pages stand.
            admission: the limits.
            metrics: of this process.
        """
        self.pipeline = pipeline
        self._witness = witness
        self._admission = admission
        self._count = Counter(
            "pecia_pages_together_total",
            "Pages that were to be read as one document, by what came of it: read, or an error's code.",
            ("outcome",),
            registry=metrics,
        )

    def lane(self, options: RecognizeOptions, pages: int) -> Lane:
        """Who reads so many pages as one document.

        Raises:
            InvalidRequest: there are no pages, or they cannot be read together (`pages_not_together`).
            NotFound, Unavailable: as `Registry.choose`.
        """
        if not pages:
            raise InvalidRequest(
                "The request has no pictures.", code="missing_required_parameter", param="pictures"
            )
        choice = self.pipeline.registry.choose(options)
        most = choice.lane.info.pages_together if choice.lane.info else 1
        if choice.fallback_from or most < pages:
            raise not_together(f"The {choice.lane.name} engine reads {most} at a time; these are {pages}.")
        if options.task_type not in _READING:
            raise not_together(f"Several pages are read for their text, not for {options.task_type}.")
        if options.model_size not in (None, ModelSize.BASE) or ":" in options.model:
            raise not_together("Several pages are shown in one size: leave model_size out.")
        return choice.lane

    async def recognize(self, pages: Sequence[PageInput], asker: Asker) -> list[Recognition]:
        """All pages, in order.

        Args:
            pages: with the options of the first; the others' page_index follows from its.
            asker: who wants them, and how long they wait for all together.

        Raises:
            InvalidRequest: as `lane`; and where the model's answer cannot be divided (`pages_not_together`).
            PeciaError: they were refused or cannot be read; `param` says which of `pictures` is at fault.
        """
        outcome = Cancelled.default_code
        try:
            read = await self._recognize(pages, asker)
            outcome = "read"
        except Exception as error:
            outcome = error.code if isinstance(error, PeciaError) else EngineFailed.default_code
            raise
        finally:
            self._count.labels(outcome).inc(len(pages))
        return read

    async def _recognize(self, pages: Sequence[PageInput], asker: Asker) -> list[Recognition]:
        ends = monotonic() + self.pipeline.budget(asker)
        lane = self.lane(pages[0].options, len(pages))
        pages = self._checked(pages, asker)
        with ExitStack() as stack:
            for page in pages[1:]:
                stack.enter_context(self._admission.hold(page))
            place = stack.enter_context(self._admission.admit(pages[0], lane, ends - monotonic()))
            place.begin()
            try:
                async with asyncio.timeout(ends - monotonic()):
                    return await self._read(pages, lane)
            except TimeoutError:
                raise DeadlineExceeded("The pages were not read in the time given.") from None

    def _checked(self, pages: Sequence[PageInput], asker: Asker) -> list[PageInput]:
        options, pixels = cleaned(pages[0].options), 0
        if not 0 <= options.page_index <= _MAX_INDEX - len(pages):
            raise InvalidRequest("page_index is too large for that many pages.", param="page_index")
        for number, page in enumerate(pages):
            with blaming(number):
                pixels += self._admission.check_picture(page).pixels
        if pixels > self._admission.max_picture_pixels:
            raise not_together(f"Together they have {pixels:,} pixels, more than are held at once.")
        return [
            replace(page, options=replace(options, page_index=number), tenant=asker.tenant)
            for number, page in enumerate(pages, options.page_index)
        ]

    async def _read(self, pages: Sequence[PageInput], lane: Lane) -> list[Recognition]:
        if lane.name is EngineName.DEEPSEEK:
            pages = await asyncio.gather(*map(self._witness.upright, pages))
        read: list[Recognition] = []
        async with aclosing(lane.read(replace(pages[0], further=tuple(pages[1:])))) as events:
            async for event in events:
                if isinstance(event, Recognition):
                    read.append(event)
                if len(read) > len(pages):
                    raise EngineFailed("The engine gave more pages than it was shown.")
        if len(read) < len(pages):
            raise not_together(f"The model came to {len(read)} of {len(pages)} pages.")
        return [
            self._witness.uncompared(_told(recognition, page, first=recognition is read[0]), lane)
            for recognition, page in zip(read, pages, strict=True)
        ]


def _told(recognition: Recognition, page: PageInput, *, first: bool) -> Recognition:
    """A page's share: they waited once."""
    timings = recognition.timings
    queue_ms = timings.queue_ms if first else 0.0
    total_ms = queue_ms + timings.decode_ms + timings.engine_ms
    return replace(
        recognition,
        page=replace(recognition.page, index=page.options.page_index),
        timings=replace(timings, queue_ms=queue_ms, total_ms=total_ms),
    )
