"""An ocr service that says what a test wrote down, over a real socket; no engine behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core import errors, wire
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import (
    Delta,
    Event,
    Notice,
    Recognition,
    RecognizeOptions,
    Started,
    Timings,
    Usage,
)
from pecia_core.vocabulary import BlockKind, EngineName, EngineState, FinishReason, ModelSize, TaskType

_WIDTH, _LINE_HEIGHT = 400, 20
_STATUS: dict[type[errors.PeciaError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidDocument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedDocument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.OutOfMemory: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.EngineFailed: grpc.StatusCode.INTERNAL,
}
_TRAILERS = (("pecia-free-slots", "2"), ("pecia-queue-length", "0"))
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """What happens to one page: wait, the lines with a pause before each, then an error or the end."""

    lines: tuple[str, ...] = ("hello", "world")
    wait_s: float = 0.0
    cached: bool = False
    pause_s: float = 0.0
    error: errors.PeciaError | None = None
    finish_reason: FinishReason = FinishReason.STOP
    engine: str = EngineName.RAPID
    fallback_from: str = ""
    warnings: tuple[Notice, ...] = ()
    usage: Usage | None = None
    confidence: float | None = 0.9


@dataclass(frozen=True, slots=True)
class Seen:
    """One call as it arrived."""

    picture: bytes
    options: RecognizeOptions
    metadata: dict[str, str]
    remaining_s: float | None
    method: str = "Recognize"


@dataclass(slots=True)
class ScriptedOcr(ocr_pb2_grpc.OcrServiceServicer):
    """The service. `play` chooses the script of a page; `seen` and `cancelled` are for assertions."""

    play: Callable[[bytes, RecognizeOptions], Script] = lambda _picture, _options: Script()
    engines: list[ocr_pb2.EngineDescription] = field(default_factory=lambda: [engine_description()])
    load: ocr_pb2.Load = field(default_factory=lambda: ocr_pb2.Load(free_slots=2, pages_per_second=1.0))
    seen: list[Seen] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    key_uses: dict[str, float] = field(default_factory=dict)
    pages_left_out: int = 0
    not_together: errors.PeciaError | None = None
    running: int = 0
    cancelled: int = 0
    trailers: tuple[tuple[str, str], ...] = _TRAILERS

    async def Recognize(  # noqa: N802 - named by the contract
        self, request: ocr_pb2.RecognizeRequest, context: Context
    ) -> ocr_pb2.RecognizeResponse:
        """The last event of the script."""
        last: Event | None = None
        async for event in self._events(request, context):
            last = event
        if not isinstance(last, Recognition):
            raise TypeError("a script ends in a recognition")
        return ocr_pb2.RecognizeResponse(recognition=wire.recognition_to_proto(last))

    async def RecognizeStream(  # noqa: N802 - named by the contract
        self, request: ocr_pb2.RecognizeStreamRequest, context: Context
    ) -> AsyncIterator[ocr_pb2.RecognizeStreamResponse]:
        """The script, event by event."""
        async for event in self._events(request, context, "RecognizeStream"):
            yield wire.event_to_proto(event)

    async def RecognizePages(  # noqa: N802 - named by the contract
        self, request: ocr_pb2.RecognizePagesRequest, context: Context
    ) -> AsyncIterator[ocr_pb2.RecognizePagesResponse]:
        """The script of each picture, one after the other, unless they cannot be read together."""
        if self.not_together:
            await abort(context, self.not_together, self.trailers)
        for number, picture in enumerate(request.pictures[: len(request.pictures) - self.pages_left_out]):
            one = ocr_pb2.RecognizeStreamRequest(picture=picture, options=request.options)
            one.options.page_index += number
            async for event in self._events(one, context, "RecognizePages"):
                if isinstance(event, Recognition):
                    yield ocr_pb2.RecognizePagesResponse(recognition=wire.recognition_to_proto(event))

    async def Describe(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.DescribeRequest,  # noqa: ARG002 - it is empty
        context: Context,  # noqa: ARG002 - demanded by the contract
    ) -> ocr_pb2.DescribeResponse:
        """What it claims to be."""
        limits = ocr_pb2.Limits(max_picture_bytes=10 << 20, max_picture_pixels=100_000_000)
        return ocr_pb2.DescribeResponse(engines=self.engines, limits=limits, load=self.load, version="test")

    async def Forget(  # noqa: N802 - named by the contract
        self, request: ocr_pb2.ForgetRequest, context: Context
    ) -> ocr_pb2.ForgetResponse:
        """As if three results of every tenant had been kept."""
        self.forgotten.append(request.tenant)
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        self.seen.append(Seen(b"", RecognizeOptions(), metadata, context.time_remaining()))
        return ocr_pb2.ForgetResponse(results=3)

    async def KeyUses(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.KeyUsesRequest,  # noqa: ARG002 - it is empty
        context: Context,
    ) -> ocr_pb2.KeyUsesResponse:
        """What the test wrote down."""
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        self.seen.append(Seen(b"", RecognizeOptions(), metadata, context.time_remaining()))
        return ocr_pb2.KeyUsesResponse(used=self.key_uses)

    async def _events(
        self,
        request: ocr_pb2.RecognizeRequest | ocr_pb2.RecognizeStreamRequest,
        context: Context,
        method: str = "Recognize",
    ) -> AsyncIterator[Event]:
        options = wire.options_from_proto(request.options)
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        left = context.time_remaining()
        self.seen.append(Seen(request.picture.encoded, options, metadata, left, method))
        script = self.play(request.picture.encoded, options)
        self.running += 1
        try:
            async for event in _played(script, options):
                yield event
            if script.error:
                await abort(context, script.error, self.trailers)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        else:
            context.set_trailing_metadata(self.trailers)
        finally:
            self.running -= 1


def engine_description(
    name: EngineName = EngineName.RAPID,
    state: EngineState = EngineState.READY,
    models: tuple[str, ...] = ("rapid", "ppocr"),
    sizes: tuple[ModelSize, ...] = (),
) -> ocr_pb2.EngineDescription:
    """An engine as Describe tells it."""
    return ocr_pb2.EngineDescription(
        name=name,
        models=models,
        revision=f"{name}-test",
        state=ocr_pb2.EngineState.Value(f"ENGINE_STATE_{state.name}"),
        tasks=[wire.task_to_proto(task) for task in (TaskType.FREE_OCR, TaskType.LINES)],
        sizes=[wire.size_to_proto(size) for size in sizes],
        languages=["en", "id"],
        slots=2,
    )


@asynccontextmanager
async def serving(
    service: ScriptedOcr,
    port: int = 0,
    *,
    ip: str = "127.0.0.1",
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[str]:
    """Serve on a port of this machine; gives the target to call."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    ocr_pb2_grpc.add_OcrServiceServicer_to_server(service, server)
    if credentials is None:
        port = server.add_insecure_port(f"{ip}:{port}")
    else:
        port = server.add_secure_port(f"{ip}:{port}", credentials)
    await server.start()
    try:
        yield f"{ip}:{port}"
    finally:
        await server.stop(grace=None)


async def abort(
    context: Context, error: errors.PeciaError, load: tuple[tuple[str, str], ...] = _TRAILERS
) -> None:
    """End a call the way the real service does."""
    info = error_details_pb2.ErrorInfo(reason=error.code, domain="pecia.dev")
    if error.param:
        info.metadata["param"] = error.param
    details: list[Any] = [info]
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = [AnyMessage() for _ in details]
    for holder, detail in zip(packed, details, strict=True):
        holder.Pack(detail)
    code = _STATUS[errors.ERROR_CODES[error.code]]
    status = status_pb2.Status(code=code.value[0], message=error.message, details=packed)
    trailers = (*load, ("grpc-status-details-bin", status.SerializeToString()))
    await context.abort(code, error.message, trailers)


async def _played(script: Script, options: RecognizeOptions) -> AsyncIterator[Event]:
    await asyncio.sleep(script.wait_s)
    yield Started(script.engine, f"{script.engine}-test", queue_ms=7.0, cached=script.cached)
    for number, text in enumerate(script.lines):
        await asyncio.sleep(script.pause_s)
        yield Delta(("\n" if number else "") + text, _line(script, number))
    if not script.error:
        yield _recognition(script, options)


def _recognition(script: Script, options: RecognizeOptions) -> Recognition:
    lines = tuple(_line(script, number) for number in range(len(script.lines)))
    height = _LINE_HEIGHT * max(len(lines), 1)
    place = Polygon.from_bbox(BBox(0, 0, _WIDTH, height))
    blocks = (Block(BlockKind.PARAGRAPH, place, lines),) if lines else ()
    words = sum(len(text.split()) for text in script.lines)
    return Recognition(
        page=Page(_WIDTH, height, blocks, options.page_index),
        text="\n".join(script.lines),
        engine=script.engine,
        model=f"{script.engine}-test",
        finish_reason=script.finish_reason,
        fallback_from=script.fallback_from,
        warnings=script.warnings,
        timings=Timings(decode_ms=1.0, queue_ms=7.0, engine_ms=3.0, total_ms=11.0),
        usage=script.usage or Usage(completion_tokens=words),
        cached=script.cached,
    )


def _line(script: Script, number: int) -> Line:
    top = number * _LINE_HEIGHT
    place = Polygon.from_bbox(BBox(10, top, _WIDTH - 10, top + _LINE_HEIGHT))
    return Line(script.lines[number], place, script.confidence, row=number)
