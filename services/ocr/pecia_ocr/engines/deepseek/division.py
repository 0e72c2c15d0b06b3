"""An answer about several pages, divided among them.

The model is shown all pages but the blank ones, and writes a mark before each. Only where it wrote as many
marks as it saw pages, no words before the first, and something behind each, is it known whose they are.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from pecia_core.recognition import Delta, Usage
from pecia_core.vocabulary import FinishReason

from pecia_ocr.engines.base import EngineEvent, Finished, not_together
from pecia_ocr.engines.deepseek.transcript import NextPage, Transcript

_WHY = {
    FinishReason.LENGTH: "The answer about all of them would have grown too long.",
    FinishReason.REPETITION: "The model repeated itself.",
}


def by_page(
    events: Iterable[EngineEvent | NextPage], transcript: Transcript, shown: Sequence[bool]
) -> Iterator[EngineEvent]:
    """The events of each page, ended with its own Finished.

    Args:
        events: of the answer, a Finished at its end.
        transcript: what they come from.
        shown: of each page, whether the model saw it; of those it did not there is nothing to say.

    Raises:
        InvalidRequest: nobody knows which words are whose (`not_together`).
    """
    waiting, written = deque(shown), False
    for event in events:
        yield from _blank(waiting)
        if isinstance(event, Delta):
            written = written or bool(event.text.strip())
        if not isinstance(event, NextPage | Finished):
            yield event
            continue
        if not written:
            raise not_together("The model left a page out.")
        if isinstance(event, Finished):
            _check(event, transcript, sum(shown))
        waiting.popleft()
        written = False
        yield event if isinstance(event, Finished) else Finished(usage=Usage())
    yield from _blank(waiting)


def _check(end: Finished, transcript: Transcript, shown: int) -> None:
    if end.finish_reason is not FinishReason.STOP:
        raise not_together(_WHY.get(end.finish_reason, "The answer broke off."))
    if transcript.unmarked:
        raise not_together("The model did not mark the first page.")
    if transcript.pages != shown:
        raise not_together(f"The model wrote {transcript.pages} pages where it was shown {shown}.")


def _blank(waiting: deque[bool]) -> Iterator[Finished]:
    """Those that come next and were not shown."""
    while waiting and not waiting[0]:
        waiting.popleft()
        yield Finished(usage=Usage())
