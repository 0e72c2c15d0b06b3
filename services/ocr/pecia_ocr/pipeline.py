"""How a page is read, on one screen: choose -> look up -> join or admit -> queue -> worker -> reply.

In the worker process (`reading.read_page`) it goes on: decode -> orient -> recognise -> assemble.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from dataclasses import dataclass, field, replace
from time import monotonic

from pecia_core.errors import DeadlineExceeded, InvalidRequest
from pecia_core.recognition import Event, Recognition, RecognizeOptions, Started, Timings
from pecia_core.vocabulary import EngineName, TaskType

from pecia_ocr.admission import Admission, Place
from pecia_ocr.cache import CacheControl, Elsewhere, Flight, Flights, Outcome, Results, Ticket, replayed
from pecia_ocr.registry import Choice
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.witness import Witness

_MAX_REF_TEXT = 1000
# DeepSeek writes some of its tokens with the full-width bar.
_CONTROL_TOKEN = re.compile("<[|\uff5c][^<>]*[|\uff5c]>")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a page. `remaining_s` = seconds they will wait; None = no bound of theirs.

    `streaming`: they hear every event as it comes, not only the last.
    """

    tenant: str
    remaining_s: float | None = None
    cache: CacheControl = field(default_factory=CacheControl)
    streaming: bool = False


class Pipeline:
    """Reads pages."""

    def __init__(
        self,
        witness: Witness,
        admission: Admission,
        results: Results,
        elsewhere: Elsewhere,
        timeout_s: float,
    ) -> None:
        """Know the engines, the limits, what was and is read, and how long a page may take (seconds)."""
        self.registry = witness.registry
        self.flights = Flights(timeout_s)
        self._admission = admission
        self._results = results
        self._elsewhere = elsewhere
        self._witness = witness
        self._timeout_s = timeout_s

    async def recognize(self, page: PageInput, asker: Asker) -> AsyncGenerator[Event, None]:
        """Give a page's events as they come, the Recognition last.

        Closing this generator gives up the page: if nobody else wants it, it leaves the queue, or its
        worker is freed.

        Raises:
            PeciaError: the page was refused or cannot be read.
        """
        began = monotonic()
        budget = self.budget(asker)
        page = replace(page, options=cleaned(page.options), tenant=asker.tenant)
        self._admission.check_picture(page)
        choice = self.registry.choose(page.options)
        ticket = await self._results.ticket(page, choice.lane.info, asker.tenant, asker.cache)
        answer = _Answer(choice, page.options.page_index, began)
        wish = _Wish(ticket, page, choice.lane, asker.streaming)
        if kept := await self._kept(wish):
            self._results.count(Outcome.HIT)
            for event in replayed(kept, page.options.task_type):
                yield answer.told(event)
            return
        async with AsyncExitStack() as stack:
            flight = self._joined(wish, stack) or self._started(wish, budget)
            await stack.enter_async_context(flight.aboard())
            events = await stack.enter_async_context(aclosing(flight.events()))
            async for event in _within(events, began + budget):
                yield answer.told(event)

    def budget(self, asker: Asker) -> float:
        """Seconds an answer may take."""
        left = asker.remaining_s
        return self._timeout_s if left is None else min(self._timeout_s, left)

    async def _kept(self, wish: "_Wish") -> Recognition | None:
        """The result of an earlier reading, unless the page is being read right now."""
        return None if self.flights.find(wish.name) else await self._results.find(wish.ticket)

    def _joined(self, wish: "_Wish", stack: AsyncExitStack) -> Flight | None:
        """The reading somebody else has begun, while it has no result yet."""
        flight = self.flights.find(wish.name)
        if flight is not None:
            stack.enter_context(self._admission.hold(wish.page))
            self._results.count(Outcome.JOINED)
        return flight

    def _started(self, wish: "_Wish", budget: float) -> Flight:
        """A reading that others may join. Its place is its own: it may outlive this caller."""
        with ExitStack() as stack:
            place = stack.enter_context(self._admission.admit(wish.page, wish.lane, budget))
            self._results.count(Outcome.MISS if wish.ticket.shareable else Outcome.BYPASS)
            return self.flights.start(wish.name, self._read(wish, place), stack.pop_all().close)

    async def _read(self, wish: "_Wish", place: Place) -> AsyncGenerator[Event, None]:
        place.begin()
        name, ticket = wish.name, wish.ticket
        if await self._elsewhere.ended(name) and (kept := await self._results.find(ticket)):
            for event in replayed(kept, wish.page.options.task_type, cached=False):
                yield event
            return
        with ExitStack() as stack:
            async with aclosing(self._witness.read(wish.page, wish.lane, streaming=wish.streaming)) as events:
                async for event in events:
                    if isinstance(event, Started):
                        stack.enter_context(self._elsewhere.marked(name))
                    elif isinstance(event, Recognition):
                        await self._results.keep(ticket, event)
                    yield event

    async def close(self) -> None:
        """Give up what is still being read."""
        await self.flights.close()
        await self._results.close()
        await self._elsewhere.close()

    async def forget(self, tenant: str) -> int:
        """Let go of what was kept of a tenant; gives how many results. Pages being read are still kept."""
        return await self._results.forget(tenant)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A page, who reads it, and how it is called among those being read."""

    ticket: Ticket
    page: PageInput
    lane: Lane
    streaming: bool

    @property
    def name(self) -> str:
        """Empty = not shared. Urgent pages do not wait in the place of others.

        Where a page may be read again, who streams cannot share with who waits: he has heard the first try.
        """
        if not self.ticket.shareable:
            return ""
        alone = self.streaming and self.lane.name is EngineName.DEEPSEEK
        return f"{self.ticket.key}:{self.page.options.priority}{':streaming' if alone else ''}"


@dataclass(slots=True)
class _Answer:
    """What one caller hears of a reading that may not be theirs alone. `began` = monotonic seconds."""

    choice: Choice
    page_index: int
    began: float
    queue_ms: float = 0.0

    def told(self, event: Event) -> Event:
        """The event in this caller's own times and words."""
        match event:
            case Started():
                self.queue_ms = min(event.queue_ms, self._elapsed_ms())
                return replace(event, queue_ms=self.queue_ms)
            case Recognition():
                return replace(
                    event,
                    page=replace(event.page, index=self.page_index),
                    timings=self._timings(event),
                    warnings=(*self.choice.warnings, *event.warnings),
                    fallback_from=self.choice.fallback_from or event.fallback_from,
                )
            case _:
                return event

    def _timings(self, event: Recognition) -> Timings:
        """Nobody waited longer for a part than for all: who came late missed what was over by then."""
        total = self._elapsed_ms()
        if event.cached:
            return Timings(total_ms=total)
        left = total - self.queue_ms
        engine = min(event.timings.engine_ms, left)
        return Timings(min(event.timings.decode_ms, left - engine), self.queue_ms, engine, total)

    def _elapsed_ms(self) -> float:
        return (monotonic() - self.began) * 1000


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
