"""How a page is read, on one screen: choose -> admit -> queue -> worker -> reply.

In the worker process (`reading.read_page`) it goes on: decode -> orient -> recognise -> assemble.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from time import monotonic

from pecia_core.errors import DeadlineExceeded, InvalidRequest
from pecia_core.recognition import Event, Recognition, RecognizeOptions
from pecia_core.vocabulary import TaskType

from pecia_ocr.admission import Admission
from pecia_ocr.registry import Registry
from pecia_ocr.scheduling.process import PageInput

_MAX_REF_TEXT = 1000
# DeepSeek writes some of its tokens with the full-width bar.
_CONTROL_TOKEN = re.compile("<[|\uff5c][^<>]*[|\uff5c]>")


class Pipeline:
    """Reads pages."""

    def __init__(self, registry: Registry, admission: Admission, timeout_s: float) -> None:
        """Know the engines, the limits, and how long a page may take at most (seconds)."""
        self.registry = registry
        self._admission = admission
        self._timeout_s = timeout_s

    async def recognize(self, page: PageInput, remaining_s: float | None) -> AsyncGenerator[Event, None]:
        """Give a page's events as they come, the Recognition last.

        Closing this generator gives up the page: it leaves the queue, or its worker is freed.

        Args:
            page: the picture and what is wanted from it.
            remaining_s: seconds its caller will wait; None = no bound of theirs.

        Raises:
            PeciaError: the page was refused or cannot be read.
        """
        began = monotonic()
        budget = min(self._timeout_s, remaining_s if remaining_s is not None else self._timeout_s)
        page = replace(page, options=cleaned(page.options))
        self._admission.check_picture(page)
        choice = self.registry.choose(page.options)
        with self._admission.admit(page, choice.lane, budget):
            async with aclosing(choice.lane.read(page)) as events:
                async for event in _within(events, began + budget):
                    if isinstance(event, Recognition):
                        timings = replace(event.timings, total_ms=(monotonic() - began) * 1000)
                        warnings = (*choice.warnings, *event.warnings)
                        fallback_from = choice.fallback_from or event.fallback_from
                        yield replace(event, timings=timings, warnings=warnings, fallback_from=fallback_from)
                    else:
                        yield event


def cleaned(options: RecognizeOptions) -> RecognizeOptions:
    """The options without what no caller may say to a model: control tokens in ref_text.

    Raises:
        InvalidRequest: locate without a ref_text, or one that is no text.
    """
    ref_text = _CONTROL_TOKEN.sub("", options.ref_text).strip()
    if options.task_type is TaskType.LOCATE and not ref_text:
        raise InvalidRequest(
            "The task locate needs ref_text: the words to look for.",
            code="missing_required_parameter",
            param="ref_text",
        )
    if len(ref_text) > _MAX_REF_TEXT:
        raise InvalidRequest(f"ref_text is longer than {_MAX_REF_TEXT} characters.", param="ref_text")
    return replace(options, ref_text=ref_text)


async def _within(events: AsyncIterator[Event], deadline: float) -> AsyncIterator[Event]:
    """The same events, until the clock says stop."""
    while True:
        try:
            async with asyncio.timeout(max(deadline - monotonic(), 0.0)):
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise DeadlineExceeded("The page was not read in the time given.") from None
        yield event
