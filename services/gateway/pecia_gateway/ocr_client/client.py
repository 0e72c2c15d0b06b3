"""Calls the ocr service: picks a pod, hands on deadline and request id, asks one other pod when refused."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import grpc
from pecia.ocr.v1 import ocr_pb2
from pecia_core import wire
from pecia_core.errors import DeadlineExceeded, Overloaded, PeciaError, Unavailable
from pecia_core.recognition import Event, Recognition, RecognizeOptions, Started

from pecia_gateway.ocr_client.failures import error_of, was_refused, was_unreachable
from pecia_gateway.ocr_client.fleet import Fleet, PodView
from pecia_gateway.ocr_client.merging import merged
from pecia_gateway.ocr_client.pod import Pod
from pecia_gateway.ocr_client.pods import Pods
from pecia_gateway.settings import OcrSettings

_Ask = Callable[[Pod, bytes, RecognizeOptions, dict[str, Any]], AsyncGenerator[Event, None]]
_TRIES = 2  # the first pod, and one other
_DESCRIBED_S = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """On whose behalf, and how long the answer is waited for (seconds)."""

    request_id: str
    tenant: str
    timeout_s: float
    bearer: str = field(default="", repr=False)


class OcrClient:
    """The ocr service as one thing, however many pods it has."""

    def __init__(self, settings: OcrSettings, pods: Pods | None = None) -> None:
        """Connect to nothing yet: the gateway starts without an ocr service."""
        self._settings = settings
        self._pods = pods or Pods(settings)
        self._fleet = Fleet()
        self._described_at = float("-inf")
        self._describing = asyncio.Lock()

    async def recognize(self, picture: bytes, options: RecognizeOptions, call: Call) -> Recognition:
        """Read one page.

        Raises:
            PeciaError: what the service said, or that nobody answers.
        """
        async with aclosing(self._tries(picture, options, call, self._unary)) as events:
            async for event in events:
                if isinstance(event, Recognition):
                    return event
        raise Unavailable("The ocr service ended the call without an answer.")

    async def stream(
        self, picture: bytes, options: RecognizeOptions, call: Call
    ) -> AsyncGenerator[Event, None]:
        """Read one page and tell how it goes; `aclose()` cancels the work.

        Raises:
            PeciaError: what the service said, or that nobody answers.
        """
        async with aclosing(self._tries(picture, options, call, self._streamed)) as events:
            async for event in events:
                yield event

    async def _tries(
        self, picture: bytes, options: RecognizeOptions, call: Call, ask: _Ask
    ) -> AsyncGenerator[Event, None]:
        """The events of the first pod that takes the page. Once text has come, no other is asked."""
        deadline = monotonic() + call.timeout_s
        refusals: list[PeciaError] = []
        for pod in (await self._pods.ranked())[:_TRIES]:
            said = False
            try:
                async with aclosing(ask(pod, picture, options, self._terms(call, deadline))) as events:
                    async for event in events:
                        said = said or not isinstance(event, Started)
                        yield event
            except grpc.aio.AioRpcError as failure:
                error = self._noted(pod, failure)
                if said or not (was_refused(error) or was_unreachable(failure)):
                    raise error from failure
                refusals.append(error)
            else:
                return
        raise _best(refusals)

    def _noted(self, pod: Pod, failure: grpc.aio.AioRpcError) -> PeciaError:
        error = error_of(failure)
        pod.note(failure.trailing_metadata())
        pod.reachable = not was_unreachable(failure)
        if not pod.reachable:
            self._pods.forget_when_looked()
        if isinstance(error, Unavailable):
            pod.avoid()
        return error

    async def _unary(
        self, pod: Pod, picture: bytes, options: RecognizeOptions, terms: dict[str, Any]
    ) -> AsyncGenerator[Event, None]:
        request = ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(encoded=picture), options=wire.options_to_proto(options)
        )
        with pod.busy():
            rpc = pod.stub.Recognize(request, **terms)
            response = await rpc
            pod.note(await rpc.trailing_metadata())
            pod.reachable = True
        yield wire.recognition_from_proto(response.recognition)

    async def _streamed(
        self, pod: Pod, picture: bytes, options: RecognizeOptions, terms: dict[str, Any]
    ) -> AsyncGenerator[Event, None]:
        request = ocr_pb2.RecognizeStreamRequest(
            picture=ocr_pb2.Picture(encoded=picture), options=wire.options_to_proto(options)
        )
        with pod.busy():
            rpc = pod.stub.RecognizeStream(request, **terms)
            try:
                async for event in _events(rpc):
                    yield event
                pod.note(await rpc.trailing_metadata())
                pod.reachable = True
            finally:
                rpc.cancel()

    def _terms(self, call: Call, deadline: float) -> dict[str, Any]:
        left = deadline - monotonic()
        if left <= 0:
            raise DeadlineExceeded("The page was not read in the time given.")
        metadata = [("x-request-id", call.request_id), ("x-pecia-tenant", call.tenant)]
        bearer = self._settings.bearer_key.get_secret_value() or call.bearer
        if bearer:
            metadata.append(("authorization", f"Bearer {bearer}"))
        return {"timeout": left, "metadata": tuple(metadata)}

    async def describe(self) -> Fleet:
        """What all pods offer, at most a second old; empty when nobody answers."""
        async with self._describing:
            if monotonic() - self._described_at > _DESCRIBED_S:
                answers = await asyncio.gather(*map(self._describe, await self._pods.ranked()))
                self._fleet = merged([answer for answer in answers if answer is not None])
                self._described_at = monotonic()
        return self._fleet

    async def _describe(self, pod: Pod) -> ocr_pb2.DescribeResponse | None:
        terms = self._terms(Call("", "", 0.0), monotonic() + self._settings.describe_timeout_s)
        try:
            answer: ocr_pb2.DescribeResponse = await pod.stub.Describe(ocr_pb2.DescribeRequest(), **terms)
        except grpc.aio.AioRpcError as failure:
            self._noted(pod, failure)
            return None
        pod.reachable = True
        pod.free_slots, pod.queue_length = answer.load.free_slots, answer.load.queue_length
        return answer

    def pods(self) -> tuple[PodView, ...]:
        """Each pod as this gateway sees it now."""
        return tuple(pod.view() for pod in self._pods.known)

    async def close(self) -> None:
        """Drop the connections."""
        await self._pods.close()


async def _events(rpc: AsyncIterable[ocr_pb2.RecognizeStreamResponse]) -> AsyncIterator[Event]:
    async for message in rpc:
        event = wire.event_from_proto(message)
        if event is not None:
            yield event


def _best(refusals: list[PeciaError]) -> PeciaError:
    """What to tell the caller when nobody took the page: the room that comes soonest."""
    full = [error for error in refusals if isinstance(error, Overloaded)]
    if full:
        return min(full, key=lambda error: error.retry_after or 0.0)
    if refusals:
        return refusals[0]
    return Unavailable("No ocr service is known: check PECIA_OCR__TARGET and that the service runs.")
