"""A CPU engine that looks at the pages DeepSeek-OCR reads: which way up they stand, and what it reads itself.

It is asked and never waited for too long, and where there is none pages are read without it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from pecia_core.errors import PeciaError
from pecia_core.recognition import Event, Notice, Recognition, RecognizeOptions
from pecia_core.vocabulary import EngineName, TaskType
from prometheus_client import CollectorRegistry, Counter

from pecia_ocr.agreement import compared
from pecia_ocr.engine_settings import DeepseekSettings
from pecia_ocr.fallback import Ladder
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput

log = logging.getLogger(__name__)

# Seconds. Behind so many other pages, a page had better be read as it lies, or by one engine.
_GLANCE_S, _READING_S = 5.0, 60.0
# What is read the same way by whoever reads it; other tasks talk about the page.
_COMPARABLE = frozenset({TaskType.FREE_OCR, TaskType.MARKDOWN, TaskType.LINES})


class Witness:
    """Reads pages as `Ladder` does, those of DeepSeek-OCR with another pair of eyes."""

    def __init__(self, ladder: Ladder, settings: DeepseekSettings, metrics: CollectorRegistry) -> None:
        """Register `pecia_turned_pages_total`.

        Args:
            ladder: reads.
            settings: what the CPU engine is asked.
            metrics: of this process.
        """
        self.registry = ladder.registry
        self._ladder = ladder
        self._settings = settings
        self._turned = Counter(
            "pecia_turned_pages_total",
            "Pages turned before DeepSeek-OCR read them, by degrees clockwise.",
            ("rotation",),
            registry=metrics,
        )

    async def read(self, page: PageInput, lane: Lane, *, streaming: bool) -> AsyncGenerator[Event, None]:
        """The page's events, as `Ladder.read` gives them; what was compared is in the Recognition alone."""
        watched = lane.name is EngineName.DEEPSEEK and not lane.demo
        second = self.registry.second if watched else None
        seen = await self._seen(page, second, compares=self._compares(page.options)) if second else None
        page = self._turn(page, seen)
        async with aclosing(self._ladder.read(page, lane, streaming=streaming)) as events:
            async for event in events:
                if watched and isinstance(event, Recognition) and event.engine == EngineName.DEEPSEEK:
                    yield await self._compared(event, seen, page.options)
                else:
                    yield event

    async def upright(self, page: PageInput) -> PageInput:
        """The page as DeepSeek-OCR should see it: turned, where a CPU engine sees that it lies."""
        second = self.registry.second
        return self._turn(page, await self._seen(page, second, compares=False)) if second else page

    def uncompared(self, read: Recognition, lane: Lane) -> Recognition:
        """The same, saying so where lines were to be compared: pages read together are not."""
        if lane.name is not EngineName.DEEPSEEK or not self._settings.align_lines:
            return read
        why = "This page was read together with others: its lines were not compared."
        return replace(read, warnings=(*read.warnings, Notice("lines_not_compared", why)))

    def _turn(self, page: PageInput, seen: Recognition | None) -> PageInput:
        if not (seen and seen.page.rotation and self._settings.turn_pages):
            return page
        self._turned.labels(seen.page.rotation).inc()
        return replace(page, turn=seen.page.rotation)

    def _compares(self, options: RecognizeOptions) -> bool:
        return self._settings.align_lines and options.task_type in _COMPARABLE

    async def _seen(self, page: PageInput, second: Lane, *, compares: bool) -> Recognition | None:
        """What the CPU engine makes of the page: its lines, or only which way up they stand."""
        if not compares and not self._settings.turn_pages:
            return None
        options = replace(_LINES, languages=page.options.languages)
        try:
            async with asyncio.timeout(_READING_S if compares else _GLANCE_S):
                return await _asked(second, replace(page, options=options, glance=not compares))
        except TimeoutError:
            log.info("The CPU engine is too busy to look at a page first")
            return None

    async def _compared(
        self, read: Recognition, seen: Recognition | None, options: RecognizeOptions
    ) -> Recognition:
        if not self._compares(options):
            return read
        if seen is None:
            why = "No CPU engine could read this page as well: its lines were not compared."
            return replace(read, warnings=(*read.warnings, Notice("lines_not_compared", why)))
        return await asyncio.to_thread(compared, read, seen.page)


_LINES = RecognizeOptions(task_type=TaskType.LINES)


async def _asked(second: Lane, page: PageInput) -> Recognition | None:
    """Its reading; None = it failed, which is for the engine that was asked to say."""
    try:
        async with aclosing(second.read(page)) as events:
            async for event in events:
                if isinstance(event, Recognition):
                    return event
    except PeciaError as error:
        log.info("The CPU engine could not look at a page", extra={"code": error.code})
    return None
