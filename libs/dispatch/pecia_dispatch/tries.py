"""Whom one page is offered to, one after the other, and what its caller hears when nobody reads it."""

import asyncio
import time

import grpc
from pecia_core.errors import DeadlineExceeded, Overloaded, PeciaError, Unavailable

from pecia_dispatch.failures import Verdict, understand
from pecia_dispatch.pod import Pod
from pecia_dispatch.pods import Pods

_LOOK_AGAIN_S = 2.0


class Tries:
    """A page's way through the pods.

    A refused page is offered to one more pod, and on to those that have not refused just now: its
    caller hears 429 only when no pod has room. A page whose pod is gone or not ready has one more try.
    """

    def __init__(self, pods: Pods, model: str, timeout_s: float) -> None:
        """Nobody has been asked. `timeout_s` = seconds for all tries together."""
        self._pods = pods
        self._model = model
        self._deadline = time.monotonic() + timeout_s
        self._tried: list[Pod] = []
        self._refusals: list[PeciaError] = []
        self._last: PeciaError | None = None
        self._second_chances = 1

    @property
    def remaining_s(self) -> float:
        """Seconds left.

        Raises:
            DeadlineExceeded: none.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("The time given was over before the page could be read.")
        return left

    async def next_pod(self) -> Pod:
        """The pod to ask now.

        Raises:
            PeciaError: what the caller has to hear, since nobody is left to ask.
        """
        await self._find()
        pod = self._pods.choose(self._model, self._tried)
        hopeless = pod is not None and pod.full and len(self._tried) > 1
        if pod is None or hopeless:
            raise self._verdict()
        self._tried.append(pod)
        return pod

    async def _find(self) -> None:
        try:
            async with asyncio.timeout(self.remaining_s):
                if not await self._pods.found():
                    self._pods.look_again()
        except TimeoutError:
            raise self._verdict() from None

    def failed(self, pod: Pod, failure: grpc.aio.AioRpcError, *, again: bool = True) -> None:
        """Take in how a try ended. `again` = the page may be offered to somebody else.

        Raises:
            PeciaError: what the caller has to hear, if this was the end of it.
        """
        understood = understand(failure, ours=self._pods.credentials.ours)
        error = understood.error
        match understood.verdict:
            case Verdict.REFUSED:
                pod.refused(failure.trailing_metadata(), error.retry_after)
                self._refusals.append(error)
            case Verdict.UNREACHABLE:
                pod.unreachable()
                self._pods.look_again()
                again = again and self._second_chance()
            case Verdict.NOT_READY:
                pod.not_ready()
                self._pods.look_again()
                again = again and self._second_chance()
            case Verdict.FINAL:
                again = False
        self._last = error
        if not again:
            raise self._verdict() from failure

    def _second_chance(self) -> bool:
        self._second_chances -= 1
        return self._second_chances >= 0

    def _verdict(self) -> PeciaError:
        if self._refusals and (self._last is None or self._last.retryable):
            hints = [error.retry_after for error in self._refusals if error.retry_after is not None]
            return Overloaded(self._refusals[0].message, retry_after=min(hints, default=None))
        return self._last or Unavailable(
            "The ocr service cannot be reached now. Try again in a moment.", retry_after=_LOOK_AGAIN_S
        )
