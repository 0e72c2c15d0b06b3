"""What happens when DeepSeek-OCR fails a page: asked again for less, then a CPU engine, always flagged.

| trouble | next |
|---|---|
| it repeats itself | a smaller size, then plain text instead of markdown, then a CPU engine |
| too little memory | a smaller size, then 507 |
| it broke or is gone | a CPU engine |

CPU engines answer only while `OCR_GPU_AUTOFALLBACK` is on. What was heard cannot be taken back: once
text was streamed, a page ends as it is.
"""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pecia_core.errors import EngineFailed, OutOfMemory, PeciaError, Unavailable
from pecia_core.recognition import Delta, Event, Notice, Recognition, RecognizeOptions, Started
from pecia_core.vocabulary import EngineName, FinishReason, ModelSize, TaskType
from prometheus_client import CollectorRegistry, Counter

from pecia_ocr.registry import DEEPSEEK, Registry
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput

log = logging.getLogger(__name__)

# Each shows the model less than the one before, and asks less of its memory.
_SMALLER = (ModelSize.GUNDAM, ModelSize.LARGE, ModelSize.BASE, ModelSize.SMALL, ModelSize.TINY)
_LOOP_SIZE = ModelSize.BASE


class Trouble(StrEnum):
    """Why another attempt is made."""

    REPETITION = "repetition"
    MEMORY = "memory"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to read the page. `why` = what a caller should know about it."""

    lane: Lane
    page: PageInput
    why: str = ""


@dataclass(slots=True)
class _Attempt:
    """What came of one rung."""

    held: list[Event] = field(default_factory=list)
    result: Recognition | None = None
    error: PeciaError | None = None
    heard: bool = False

    @property
    def trouble(self) -> Trouble | None:
        """None = it is a good answer, or a failure that another attempt would not mend."""
        match self.error:
            case OutOfMemory():
                return Trouble.MEMORY
            case EngineFailed() | Unavailable():
                return Trouble.BROKEN
        looped = self.result is not None and self.result.finish_reason is FinishReason.REPETITION
        return Trouble.REPETITION if looped else None


class Ladder:
    """Reads a page, on as many rungs as it takes."""

    def __init__(self, registry: Registry, metrics: CollectorRegistry) -> None:
        """Register `pecia_fallbacks_total`.

        Args:
            registry: knows the engines.
            metrics: of this process.
        """
        self.registry = registry
        self._count = Counter(
            "pecia_fallbacks_total",
            "Pages read again after the DeepSeek engine failed them, by trouble and by who read them then.",
            ("trouble", "engine"),
            registry=metrics,
        )

    async def read(self, page: PageInput, lane: Lane, *, streaming: bool) -> AsyncGenerator[Event, None]:
        """The page's events, as `Lane.read` gives them.

        Args:
            page: what to read.
            lane: whose engine is to read it.
            streaming: somebody listens to every event; else they come when the page is read.
        """
        if lane.name is not EngineName.DEEPSEEK or lane.demo:
            async with aclosing(lane.read(page)) as events:
                async for event in events:
                    yield event
            return
        rung, attempts, notices = Rung(lane, page), 1, list[Notice]()
        while True:
            attempt = _Attempt()
            async with aclosing(_climbed(rung, attempt, streaming=streaming, first=attempts == 1)) as said:
                async for event in said:
                    yield event
            following = None if attempt.heard else self._next(rung, attempt.trouble, page.options)
            if following is None:
                break
            self._count.labels(str(attempt.trouble), following.lane.name).inc()
            log.info(
                "A page is read again", extra={"trouble": attempt.trouble, "engine": following.lane.name}
            )
            rung, attempts = following, attempts + 1
            notices.append(Notice("engine_fallback", rung.why))
        for event in attempt.held:
            yield event
        if attempt.error is not None:
            raise attempt.error
        if attempt.result is not None:
            yield _flagged(attempt.result, rung, attempts, notices)

    def _next(self, rung: Rung, trouble: Trouble | None, asked: RecognizeOptions) -> Rung | None:
        """The next rung, if there is one."""
        if trouble is None or rung.lane.name is not EngineName.DEEPSEEK:
            return None
        if trouble is not Trouble.BROKEN:
            for options, why in _less(rung.page.options, trouble):
                if _able(rung.lane, options):
                    return Rung(rung.lane, replace(rung.page, options=options), why)
        if trouble is Trouble.MEMORY:
            return None
        lane = self.registry.on_cpu(asked.task_type)
        return Rung(lane, replace(rung.page, options=asked), _CPU_WHY[trouble]) if lane else None


_CPU_WHY = {
    Trouble.REPETITION: "DeepSeek-OCR repeated itself on this page; a CPU engine read it.",
    Trouble.BROKEN: "DeepSeek-OCR failed on this page; a CPU engine read it.",
}


async def _climbed(
    rung: Rung, attempt: _Attempt, *, streaming: bool, first: bool
) -> AsyncGenerator[Event, None]:
    """Try one rung: what is said at once, while `attempt` keeps the rest."""
    try:
        async with aclosing(rung.lane.read(rung.page)) as events:
            async for event in events:
                if isinstance(event, Recognition):
                    attempt.result = event
                elif isinstance(event, Started):
                    if first:
                        yield event
                elif streaming:
                    attempt.heard |= isinstance(event, Delta)
                    yield event
                else:
                    attempt.held.append(event)
    except PeciaError as error:
        attempt.error = error


def _less(options: RecognizeOptions, trouble: Trouble) -> Iterator[tuple[RecognizeOptions, str]]:
    """The same page asked for with less, best first."""
    size = options.model_size or ModelSize.GUNDAM
    smaller = _SMALLER[_SMALLER.index(size) + 1 :]
    if trouble is Trouble.MEMORY:
        for less in smaller:
            yield replace(options, model_size=less), f"Too little memory for the size {size}; read in {less}."
        return
    if _LOOP_SIZE in smaller:
        yield replace(options, model_size=_LOOP_SIZE), f"DeepSeek-OCR repeated itself; read in {_LOOP_SIZE}."
    if options.task_type is TaskType.MARKDOWN:
        plain = replace(options, task_type=TaskType.FREE_OCR, model_size=size)
        yield plain, "DeepSeek-OCR repeated itself; read as plain text."


def _able(lane: Lane, options: RecognizeOptions) -> bool:
    info = lane.info
    return info is not None and options.model_size in info.sizes and options.task_type in info.tasks


def _flagged(result: Recognition, rung: Rung, attempts: int, notices: list[Notice]) -> Recognition:
    by_cpu = rung.lane.name is not EngineName.DEEPSEEK
    return replace(
        result,
        attempts=attempts,
        fallback_from=DEEPSEEK if by_cpu else result.fallback_from,
        warnings=(*notices, *result.warnings),
    )
