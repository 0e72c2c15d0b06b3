"""The boundary of every call: request id, identity, errors to statuses, trailers, metrics.

Health passes untouched, and reflection where it is on: probes carry no keys.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from pecia.ocr.v1 import ocr_pb2
from pecia_core import errors
from pecia_core.telemetry import RequestMetrics, new_request_id, request_id
from pecia_identity.assertions import digest_of

from pecia_ocr.authentication import Arrival, Door, tenant
from pecia_ocr.registry import Registry

log = logging.getLogger(__name__)

DOMAIN = "pecia.dev"
_OURS = "/pecia.ocr.v1."
_MAX_REQUEST_ID = 128
_ONE = (ocr_pb2.RecognizeRequest, ocr_pb2.RecognizeStreamRequest)
_READING = (*_ONE, ocr_pb2.RecognizePagesRequest)
STATUS = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidDocument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedDocument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Gone: grpc.StatusCode.NOT_FOUND,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.OutOfMemory: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.EngineFailed: grpc.StatusCode.INTERNAL,
}
Trailers = tuple[tuple[str, str | bytes], ...]
Context = grpc.aio.ServicerContext[Any, Any]


class CallBoundary(grpc.aio.ServerInterceptor):
    """What happens around every OcrService call."""

    def __init__(self, door: Door, registry: Registry, metrics: RequestMetrics) -> None:
        """Remember who lets in, who knows the load, and who counts."""
        self._door = door
        self._registry = registry
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401 - a handler of any message types
        """Wrap our own methods."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or not method.startswith(_OURS):
            return handler
        name = method.rpartition("/")[2]
        if handler.unary_stream:
            return handler._replace(unary_stream=self._stream(name, handler.unary_stream))
        return handler._replace(unary_unary=self._unary(name, handler.unary_unary))

    def _unary(self, name: str, behaviour: Callable[[Any, Context], Awaitable[Any]]) -> object:
        async def call(request: object, context: Context) -> object:
            async with self._boundary(name, request, context) as answer:
                response = await behaviour(request, context)
                answer.note(response)
                return response

        return call

    def _stream(self, name: str, behaviour: Callable[[Any, Context], AsyncIterator[Any]]) -> object:
        async def call(request: object, context: Context) -> AsyncIterator[object]:
            async with self._boundary(name, request, context) as answer:
                async for response in behaviour(request, context):
                    answer.note(response)
                    yield response

        return call

    @asynccontextmanager
    async def _boundary(self, name: str, request: object, context: Context) -> AsyncIterator["_Answer"]:
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        request_id.set(_request_id(metadata))
        began = perf_counter()
        code, answer = "ok", _Answer()
        try:
            arrival = await _arrival(name, metadata, request, context)
            with self._door.enter(arrival) as caller, self._put_down(arrival, request, answer):
                tenant.set(caller)
                yield answer
            context.set_trailing_metadata(self._trailers())
        except errors.PeciaError as error:
            code = error.code
            await self._abort(context, error)
        except (asyncio.CancelledError, GeneratorExit):
            code = errors.Cancelled.default_code
            raise
        except Exception:
            code = errors.EngineFailed.default_code
            log.exception("Unexpected failure of a call")
            message = "Something broke in the ocr service; its log has the cause under this request id."
            await self._abort(context, errors.EngineFailed(message))
        finally:
            seconds = perf_counter() - began
            self._metrics.observe_call(name, code, seconds, answer.engine)
            said = {"method": name, "code": code, "engine": answer.engine, "ms": round(seconds * 1000, 1)}
            log.info("call", extra=said)

    @contextmanager
    def _put_down(self, arrival: Arrival, request: object, answer: "_Answer") -> Iterator[None]:
        """What deletes something is in the audit log, however it ends."""
        if not isinstance(request, ocr_pb2.ForgetRequest):
            yield
            return
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            self._door.put_down(arrival, request.tenant, outcome, answer.results)

    def _trailers(self) -> Trailers:
        lanes = self._registry.lanes
        return (
            ("pecia-free-slots", str(sum(lane.free_slots for lane in lanes))),
            ("pecia-queue-length", str(sum(lane.queue_length for lane in lanes))),
        )

    async def _abort(self, context: Context, error: errors.PeciaError) -> None:
        status = to_status(error)
        details: Trailers = (("grpc-status-details-bin", status.SerializeToString()),)
        code = STATUS[errors.ERROR_CODES[error.code]]
        await context.abort(code, error.message, (*self._trailers(), *details))


@dataclass(slots=True)
class _Answer:
    """What a call came to, as its replies say: which engine, or how many results are gone."""

    engine: str = ""
    results: int = 0

    def note(self, response: object) -> None:
        match response:
            case ocr_pb2.RecognizeResponse():
                self.engine = response.recognition.engine
            case ocr_pb2.RecognizeStreamResponse() if response.HasField("started"):
                self.engine = response.started.engine
            case ocr_pb2.RecognizePagesResponse():
                self.engine = response.recognition.engine
            case ocr_pb2.ForgetResponse():
                self.results = response.results


async def _arrival(name: str, metadata: dict[str, str], request: object, context: Context) -> Arrival:
    """The call as the door sees it. The picture is hashed only where somebody has signed for it."""
    source = context.peer().rpartition(":")[0].partition(":")[2]
    arrival = Arrival(name, metadata, source=source, names=_names(context))
    if not arrival.assertion or not isinstance(request, _READING):
        return arrival
    pictures = [request.picture] if isinstance(request, _ONE) else list(request.pictures)
    return replace(arrival, picture=await asyncio.to_thread(digest_of, *map(_bytes_of, pictures)))


def _names(context: Context) -> tuple[str, ...]:
    """Whom the caller's certificate names: its alternative names, or, in one of old, its common name."""
    shown = context.auth_context()
    found = shown.get("x509_subject_alternative_name") or shown.get("x509_common_name") or ()
    return tuple(name.decode(errors="replace") for name in found)


def _bytes_of(picture: ocr_pb2.Picture) -> bytes:
    """Of an encoded picture its bytes, which is what services send; of any other all that is said of it."""
    if picture.WhichOneof("source") == "encoded":
        return picture.encoded
    return picture.SerializeToString(deterministic=True)


def _request_id(metadata: dict[str, str]) -> str:
    given = metadata.get("x-request-id", "")
    return (
        given
        if given.isascii() and given.isprintable() and 0 < len(given) <= _MAX_REQUEST_ID
        else new_request_id()
    )


def to_status(error: errors.PeciaError) -> status_pb2.Status:
    """The rich status of an error: its code as ErrorInfo, its hint as RetryInfo."""
    info = error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN)
    if error.param:
        info.metadata["param"] = error.param
    details: list[Any] = [info]
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    code = STATUS[errors.ERROR_CODES[error.code]]
    packed = [AnyMessage() for _ in details]
    for message, detail in zip(packed, details, strict=True):
        message.Pack(detail)
    return status_pb2.Status(code=code.value[0], message=error.message, details=packed)
