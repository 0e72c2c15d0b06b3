"""A page's request to the scheduler, and the ticket by which its reader follows and cancels it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from time import monotonic

from pecia_core.errors import PeciaError
from pecia_core.vocabulary import FinishReason

from pecia_ocr.engines.deepseek.profiles import NGram
from pecia_ocr.engines.deepseek.views import Shown


@dataclass(frozen=True, slots=True)
class Request:
    """What the answer about one page is made from, or about several that are shown together.

    Attributes:
        ids: the prompt, a placeholder for every token of the pictures, text at its end.
        pictures: one a page, in order; none = the prompt has no placeholders.
        max_new_tokens: of the answer; 0 = as many as there is room for.
        temperature: 0 = always the likeliest token.
        top_p: draw among the likeliest tokens of this much probability; None = among all.
        seed: of the draws; None = by chance.
        repetition_penalty: above 1 makes what was seen less likely; None = does not.
        ngram: what must not come twice; None = anything may.
        priority: the smaller, the sooner.
        tenant: whose page it is; tenants take turns.
        deadline: on `time.monotonic`'s clock; None = never.
    """

    ids: list[int]
    pictures: tuple[Shown, ...] = ()
    max_new_tokens: int = 0
    temperature: float = 0.0
    top_p: float | None = None
    seed: int | None = None
    repetition_penalty: float | None = None
    ngram: NGram | None = None
    priority: int = 0
    tenant: str = ""
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Tokens that have come, and the natural logarithms of their probabilities."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class Ticket:
    """One request's way through the scheduler. Any thread may cancel it, one reads its steps.

    Attributes:
        request: what was asked.
        reason: why the answer ended; None while it has not, or where it failed.
        submitted: when it came, on `time.monotonic`'s clock.
        started: when it left the queue; None = not yet.
    """

    def __init__(self, request: Request, wake: Callable[[], None]) -> None:
        """Nothing has come yet. `wake` tells the scheduler to look."""
        self.request = request
        self.reason: FinishReason | None = None
        self.submitted = monotonic()
        self.started: float | None = None
        self._wake = wake
        self._cancelled = False
        self._error: PeciaError | None = None
        self._steps: SimpleQueue[Step | None] = SimpleQueue()
        self._over = Event()

    def steps(self, every_s: float = 0.0) -> Iterator[Step]:
        """What comes; what has piled up comes at once. Leaving early cancels.

        Args:
            every_s: seconds between one and the next, at least. Nothing waits for them to pass once it ends.

        Raises:
            PeciaError: why there is no more, other than what `reason` says: DeadlineExceeded, OutOfMemory,
                EngineFailed, Unavailable.
        """
        try:
            while (step := self._steps.get()) is not None:
                more = [step, *self._piled_up()]
                yield Step(
                    tuple(token for step in more for token in step.token_ids),
                    tuple(logprob for step in more for logprob in step.logprobs),
                )
                self._over.wait(every_s)
            self._steps.put(None)  # for whoever asks again
        finally:
            self.cancel()
        if self._error is not None:
            raise self._error

    def _piled_up(self) -> Iterator[Step]:
        while True:
            try:
                step = self._steps.get_nowait()
            except Empty:
                return
            if step is None:
                self._steps.put(None)
                return
            yield step

    def cancel(self) -> None:
        """Give up its slot at the next step; nothing happens where it has ended."""
        if not self.ended:
            self._cancelled = True
            self._over.set()
            self._wake()

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self.reason is not None or self._error is not None

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it any more."""
        return self._cancelled

    @property
    def expired(self) -> bool:
        """Whether its deadline is over."""
        return self.request.deadline is not None and monotonic() > self.request.deadline

    def start(self) -> None:
        """Say that it has left the queue: the scheduler's."""
        self.started = monotonic()

    def give(self, token: int, logprob: float) -> None:
        """Pass a token on: the scheduler's."""
        self._steps.put(Step((token,), (logprob,)))

    def finish(self, reason: FinishReason) -> None:
        """Say that the answer has ended: the scheduler's."""
        if not self.ended:
            self.reason = reason
            self._end()

    def fail(self, error: PeciaError) -> None:
        """Say that there will be no more of an answer: the scheduler's."""
        if not self.ended:
            self._error = error
            self._end()

    def _end(self) -> None:
        self._steps.put(None)
        self._over.set()
