"""The contract of an engine: one page at a time, events as they come, stoppable between lines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pecia_core.document import Block, Line
from pecia_core.errors import InvalidRequest, PeciaError
from pecia_core.recognition import Delta, Notice, RecognizeOptions, Usage
from pecia_core.vocabulary import EngineName, FinishReason, ModelSize, TaskType

# Height x width x 3, RGB, as it stands after its EXIF rotation.
Pixels = NDArray[np.uint8]
# Whose page the thread reads: engines that read several at once let tenants take turns.
tenant: ContextVar[str] = ContextVar("tenant", default="")


class Interrupted(Exception):
    """The caller no longer wants this page."""


class Broken(Exception):
    """The engine cannot read any more in this process, such as after its GPU failed: a new one has to."""


def not_together(why: str) -> InvalidRequest:
    """What a caller is told whose pages cannot be read as one document."""
    return InvalidRequest(f"{why} Send each page by itself.", code="pages_not_together", param="pictures")


@contextmanager
def blaming(number: int) -> Iterator[None]:
    """Say in errors about a picture which it is."""
    try:
        yield
    except PeciaError as error:
        error.param = f"pictures[{number}]"
        raise


class CancelToken:
    """Says that a page is no longer wanted; set from another thread than the one that reads."""

    def __init__(self) -> None:
        """Nothing is cancelled yet."""
        self._lock = Lock()
        self._set = False
        self._callbacks: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Mark it and run what was registered."""
        with self._lock:
            self._set = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Run `callback` when cancelled: at once, if that has happened already."""
        with self._lock:
            if not self._set:
                self._callbacks.append(callback)
                return
        callback()

    def check(self) -> None:
        """Raise Interrupted if cancelled; engines call it between lines."""
        if self._set:
            raise Interrupted


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is and can do. `revision` names weights and version.

    `pages_together`: that it can read as one document; engines with more than 1 are `ReadsTogether`.
    """

    name: EngineName
    models: tuple[str, ...]
    revision: str
    tasks: tuple[TaskType, ...]
    sizes: tuple[ModelSize, ...] = ()
    languages: tuple[str, ...] = ()
    pages_together: int = 1


@dataclass(frozen=True, slots=True)
class Oriented:
    """The page was turned clockwise by this many degrees to be read. Comes first."""

    rotation: int


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line in its final place: polygon on the page as received, row set.

    Lines come in reading order; `block` is the position of the line's block, never falling.
    """

    line: Line
    block: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Comes last, from engines with more to say than their lines. Of several pages each has its own."""

    finish_reason: FinishReason = FinishReason.STOP
    usage: Usage | None = None
    warnings: tuple[Notice, ...] = ()


EngineEvent = Oriented | PlacedLine | Delta | Block | Finished


class Engine(Protocol):
    """Reads pages, one after the other, in the process and thread it was loaded in."""

    @property
    def info(self) -> EngineInfo:
        """What it is; known before `load`."""
        ...

    def load(self, progress: Callable[[float], None]) -> None:
        """Get ready to read, reporting 0.0 to 1.0.

        Raises:
            pecia_core.errors.PeciaError: it cannot work on this machine, and what to do about it.
        """
        ...

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Read one page.

        Raises:
            Interrupted: as soon as `cancel` says so.
            Broken: no page can be read in this process any more.
            pecia_core.errors.PeciaError: this page cannot be read.
        """
        ...


class ReadsTogether(Engine, Protocol):
    """Reads several pages as one document, too."""

    def read_together(
        self, pages: Sequence[Pixels], options: RecognizeOptions, cancel: CancelToken
    ) -> Iterator[EngineEvent]:
        """Read them, as many as `pages_together` at most; each page's events end with its own Finished.

        Raises: as `read`, and `not_together` where it cannot tell which words are whose.
        """
        ...
