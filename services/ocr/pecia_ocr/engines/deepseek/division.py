"""An answer about several pages, divided among them.

The model is shown all pages but the blank ones, and says when it turns to the next.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from pecia_ocr.engines.base import EngineEvent, Finished
from pecia_ocr.engines.deepseek.transcript import NextPage


def by_page(events: Iterable[EngineEvent | NextPage], shown: Sequence[bool]) -> Iterator[EngineEvent]:
    """The events of each page, ended with its own Finished. Pages the answer did not come to have none.

    Args:
        events: of the answer, a Finished at its end.
        shown: of each page, whether the model saw it; of those it did not there is nothing to say.
    """
    waiting = deque(shown)
    for event in events:
        yield from _blank(waiting)
        if isinstance(event, NextPage | Finished):
            waiting.popleft()
        yield Finished() if isinstance(event, NextPage) else event
    yield from _blank(waiting)


def _blank(waiting: deque[bool]) -> Iterator[Finished]:
    """Those that come next and were not shown."""
    while waiting and not waiting[0]:
        waiting.popleft()
        yield Finished()
