"""Calls the ocr service: finds its pods, picks one, hands on deadline and request id, maps errors back."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
from pecia.ocr.v1 import ocr_pb2
from pecia_core import wire
from pecia_core.errors import EngineFailed, InvalidRequest
from pecia_core.recognition import Event, Recognition, RecognizeOptions, Started
from pecia_identity.assertions import Statement

from pecia_dispatch.addresses import Lookup, look_up
from pecia_dispatch.call import Call
from pecia_dispatch.fleet import Fleet, PodView
from pecia_dispatch.pod import Pod
from pecia_dispatch.pods import Pods
from pecia_dispatch.settings import OcrSettings
from pecia_dispatch.tries import Tries

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class OcrClient:
    """The ocr service as one thing, however many pods it has."""

    def __init__(self, settings: OcrSettings, lookup: Lookup = look_up) -> None:
        """Connect to nothing yet: the gateway starts without an ocr service.

        Raises:
            ValueError: the target is no name:port.
        """
        self._pods = Pods(settings, lookup)

    async def recognize(self, picture: bytes, options: RecognizeOptions, call: Call) -> Recognition:
        """Read one page; cancelling the awaiting task cancels the work.

        Raises:
            PeciaError: what the service said, or that nobody answers.
        """
        request = ocr_pb2.RecognizeRequest(options=wire.options_to_proto(options))
        request.picture.encoded = picture  # in place: a Picture handed over would be copied once more
        said = await self._pods.credentials.statement(call, "Recognize", picture)
        return await self._answered(request, said, call, _page)

    async def stream(
        self, picture: bytes, options: RecognizeOptions, call: Call
    ) -> AsyncGenerator[Event, None]:
        """Read one page and tell how it goes; `aclose()` cancels the work.

        Another pod is tried only while no text has come: a caller never gets a line twice.

        Raises:
            PeciaError: what the service said, or that nobody answers.
        """
        request = ocr_pb2.RecognizeStreamRequest(
            picture=ocr_pb2.Picture(encoded=picture), options=wire.options_to_proto(options)
        )
        tries = Tries(self._pods, options.model, call.timeout_s)
        progress = _Progress()
        credentials = self._pods.credentials
        said = await credentials.statement(call, "RecognizeStream", picture)
        while True:
            pod = await tries.next_pod()
            metadata = credentials.metadata(call, said)
            rpc = pod.stub.RecognizeStream(request, timeout=tries.remaining_s, metadata=metadata)
            try:
                with pod.busy():
                    async for message in rpc:
                        event = wire.event_from_proto(message)
                        if event is not None and progress.is_news(event):
                            yield event
            except grpc.aio.AioRpcError as failure:
                tries.failed(pod, failure, again=not progress.text)
            else:
                await _conclude(pod, rpc, progress)
                return
            finally:
                rpc.cancel()

    async def recognize_pages(
        self, pictures: Sequence[bytes], options: RecognizeOptions, call: Call
    ) -> list[Recognition]:
        """Read several pages as one document, with a model that can; cancelling the task cancels the work.

        Args:
            pictures: one a page.
            options: of all of them; page_index is the first page's.
            call: on whose behalf.

        Raises:
            InvalidRequest: they cannot be read together (`pages_not_together`), but maybe one by one.
            PeciaError: as `recognize`; `param` is `pictures[n]` where one of them is at fault.
        """
        request = ocr_pb2.RecognizePagesRequest(
            pictures=[ocr_pb2.Picture(encoded=picture) for picture in pictures],
            options=wire.options_to_proto(options),
        )
        said = await self._pods.credentials.statement(call, "RecognizePages", *pictures)
        read = await self._answered(request, said, call, _pages)
        if len(read) != len(pictures):
            raise EngineFailed("The ocr service gave another number of pages than it was sent.")
        return read

    async def _answered(
        self,
        request: ocr_pb2.RecognizeRequest | ocr_pb2.RecognizePagesRequest,
        said: Statement,
        call: Call,
        answer_of: Callable[[Any], Awaitable[_Answer]],
    ) -> _Answer:
        """The answer of the first pod that has one; nobody hears of it before all of it is there."""
        tries = Tries(self._pods, request.options.model, call.timeout_s)
        while True:
            pod = await tries.next_pod()
            metadata = self._pods.credentials.metadata(call, said)
            rpc = getattr(pod.stub, said.method)(request, timeout=tries.remaining_s, metadata=metadata)
            try:
                with pod.busy():
                    answer = await answer_of(rpc)
            except grpc.aio.AioRpcError as failure:
                tries.failed(pod, failure)
            else:
                pod.heard(await rpc.trailing_metadata())
                return answer
            finally:
                rpc.cancel()

    async def describe(self) -> Fleet:
        """What all pods offer, at most about a second old; no engines when nobody answers."""
        return await self._pods.fleet()

    def pods(self) -> tuple[PodView, ...]:
        """Each pod as this gateway sees it now."""
        return tuple(pod.view() for pod in self._pods.now())

    async def forget(self, tenant: str, call: Call) -> dict[str, int | None]:
        """Have every pod forget what it kept of a tenant: pod -> results; None = it did not answer."""
        pods = await self._pods.found()
        metadata = self._pods.credentials.metadata(call, Statement(call.tenant, "Forget"))
        request = ocr_pb2.ForgetRequest(tenant=tenant)
        asked = (pod.stub.Forget(request, timeout=call.timeout_s, metadata=metadata) for pod in pods)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, grpc.aio.AioRpcError):
                _log.warning("a pod did not forget a tenant", extra={"status": answer.code().name})
            elif isinstance(answer, BaseException):
                raise answer
        return {
            str(pod.address): None if isinstance(answer, BaseException) else int(answer.results)
            for pod, answer in zip(pods, answers, strict=True)
        }

    async def key_uses(self, call: Call) -> dict[str, float]:
        """When keys were used last at any pod that answers: id -> seconds since 1970."""
        pods = await self._pods.found()
        metadata = self._pods.credentials.metadata(call, Statement(call.tenant, "KeyUses"))
        request = ocr_pb2.KeyUsesRequest()
        asked = (pod.stub.KeyUses(request, timeout=call.timeout_s, metadata=metadata) for pod in pods)
        used: dict[str, float] = {}
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, grpc.aio.AioRpcError):
                _log.info("a pod did not tell of keys", extra={"status": answer.code().name})
            elif isinstance(answer, BaseException):
                raise answer
            else:
                used |= {key: max(moment, used.get(key, 0.0)) for key, moment in answer.used.items()}
        return used

    async def close(self) -> None:
        """Drop the connections; calls still running have a moment left."""
        await self._pods.close()


class _Progress:
    """How far a stream has come, over all tries."""

    def __init__(self) -> None:
        self._started = False
        self.text = False
        self.finished = False

    def is_news(self, event: Event) -> bool:
        """Whether the caller has not heard that before: a second try starts a second time."""
        if isinstance(event, Started):
            again, self._started = self._started, True
            return not again
        self.text = True
        self.finished = isinstance(event, Recognition)
        return True


async def _conclude(
    pod: Pod,
    rpc: "grpc.aio.UnaryStreamCall[ocr_pb2.RecognizeStreamRequest, ocr_pb2.RecognizeStreamResponse]",
    progress: _Progress,
) -> None:
    pod.heard(await rpc.trailing_metadata())
    if not progress.finished:
        raise EngineFailed("The ocr service ended the page without a result.")


async def _page(rpc: "grpc.aio.UnaryUnaryCall[Any, ocr_pb2.RecognizeResponse]") -> Recognition:
    return wire.recognition_from_proto((await rpc).recognition)


async def _pages(rpc: "grpc.aio.UnaryStreamCall[Any, ocr_pb2.RecognizePagesResponse]") -> list[Recognition]:
    try:
        return [wire.recognition_from_proto(message.recognition) async for message in rpc]
    except grpc.aio.AioRpcError as failure:
        if failure.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        # It is of a former version.
        why = "This ocr service reads one page at a time. Send each page by itself."
        raise InvalidRequest(why, code="pages_not_together") from failure
