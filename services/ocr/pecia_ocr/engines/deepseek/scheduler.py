"""One thread owns the device; any number of others give it pages and read what comes."""

import logging
from contextlib import AbstractContextManager, nullcontext
from threading import Condition, Thread

import torch
from pecia_core.errors import EngineFailed, PeciaError, Unavailable

from pecia_ocr.engines.deepseek.loader import LoadedModel
from pecia_ocr.engines.deepseek.pace import SchedulerStats
from pecia_ocr.engines.deepseek.rounds import Rounds, SchedulerLimits
from pecia_ocr.engines.deepseek.tickets import Request, Step, Ticket

__all__ = ["Request", "Scheduler", "SchedulerLimits", "SchedulerStats", "Step", "Ticket"]

log = logging.getLogger(__name__)


class Scheduler:
    """Runs the requests of many threads on one model, together.

    Attributes:
        broken: why nothing can be computed any more, such as a lost GPU; None while all is well.
    """

    def __init__(self, loaded: LoadedModel, limits: SchedulerLimits) -> None:
        """Take the memory of all slots and start the thread."""
        self.broken: Exception | None = None
        self._rounds = Rounds(loaded, limits)
        self._news = Condition()
        self._arrived: list[Ticket] = []
        self._closed = False
        self._thread = Thread(target=self._run, name="deepseek-scheduler", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Ticket:
        """Queue a request, from any thread.

        Raises:
            InvalidRequest: it cannot be computed with these limits.
            EngineFailed: the scheduler is broken.
            Unavailable: it is closed.
        """
        self._rounds.check(request)
        ticket = Ticket(request, self._wake)
        with self._news:
            if self.broken is not None:
                raise _lost(self.broken)
            if self._closed:
                raise _closing()
            self._arrived.append(ticket)
            self._news.notify()
        return ticket

    def stats(self) -> SchedulerStats:
        """What it does now."""
        with self._news:
            waiting = len(self._rounds.line) + len(self._arrived)
        return self._rounds.pace.stats(len(self._rounds.seats), waiting)

    @property
    def idle(self) -> bool:
        """Whether nobody runs or waits."""
        with self._news:
            return not self._arrived and self._rounds.idle

    def warm_up(self, longest: int) -> None:
        """Capture the steps of pages up to so many tokens; to be called before the first `submit`."""
        with torch.inference_mode(), self._device():
            self._rounds.runner.warm_up(longest)

    def close(self) -> None:
        """End the thread; whoever is not through gets Unavailable."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join()

    def _wake(self) -> None:
        with self._news:
            self._news.notify()

    def _run(self) -> None:
        error: PeciaError = _closing()
        try:
            with torch.inference_mode(), self._device():
                while self._awaited():
                    self._rounds.round()
        except Exception as failure:  # whatever it is: the thread ends, and nobody must wait for it
            log.exception("The scheduler cannot go on")
            self.broken, error = failure, _lost(failure)
        with self._news:
            self._closed = True
            arrived, self._arrived = self._arrived, []
        for ticket in arrived:
            ticket.fail(error)
        self._rounds.end(error)

    def _device(self) -> AbstractContextManager[object]:
        """What a thread computes on, where there are several GPUs."""
        device = self._rounds.runner.device
        return torch.cuda.device(device) if device.type == "cuda" else nullcontext()

    def _awaited(self) -> bool:
        """Sleep while there is nothing to do; False when it is time to end."""
        with self._news:
            while not self._closed and not self._arrived and self._rounds.idle:
                self._news.wait()
            for ticket in self._arrived:
                self._rounds.line.add(ticket)
            self._arrived.clear()
            return not self._closed


def _lost(failure: Exception) -> EngineFailed:
    return EngineFailed(f"The engine cannot go on after {type(failure).__name__}. It has to be started anew.")


def _closing() -> Unavailable:
    return Unavailable("The engine is shutting down; try again.", code="draining", retry_after=1.0)
