"""Proto in, proto out; no decisions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core import wire
from pecia_core.errors import EngineFailed, InvalidRequest
from pecia_core.recognition import Recognition, RecognizeOptions
from pecia_core.telemetry import request_id
from pecia_wall import Walls

from pecia_ocr.authentication import tenant
from pecia_ocr.blobs import BlobFolder
from pecia_ocr.cache import CacheControl
from pecia_ocr.engines.base import blaming
from pecia_ocr.pipeline import Asker
from pecia_ocr.registry import names_of
from pecia_ocr.scheduling.frames import RawShape
from pecia_ocr.scheduling.lane import Lane
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.settings import Settings
from pecia_ocr.together import Together


@dataclass(frozen=True, slots=True)
class Told:
    """What others know and this only hands on.

    Attributes:
        uses: ids of keys, and when they were used last: seconds since 1970.
        walls: around the processes that decode; None = nobody has looked.
    """

    uses: Callable[[], Mapping[str, float]]
    walls: Walls | None = None


class OcrServicer(ocr_pb2_grpc.OcrServiceServicer):
    """pecia.ocr.v1.OcrService over the pipeline."""

    def __init__(self, together: Together, blobs: BlobFolder, settings: Settings, told: Told) -> None:
        """Remember what answers, and what is told besides."""
        self._told = told
        self._together = together
        self._pipeline = together.pipeline
        self._blobs = blobs
        self._settings = settings

    async def Recognize(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.RecognizeRequest,
        context: "grpc.aio.ServicerContext[ocr_pb2.RecognizeRequest, ocr_pb2.RecognizeResponse]",
    ) -> ocr_pb2.RecognizeResponse:
        """One page, one answer."""
        page = await self._page(request.picture, wire.options_from_proto(request.options))
        async with aclosing(self._pipeline.recognize(page, _asker(context, streaming=False))) as events:
            async for event in events:
                if isinstance(event, Recognition):
                    return ocr_pb2.RecognizeResponse(recognition=wire.recognition_to_proto(event))
        raise EngineFailed("The engine ended without an answer.")

    async def RecognizeStream(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.RecognizeStreamRequest,
        context: "grpc.aio.ServicerContext[ocr_pb2.RecognizeStreamRequest, ocr_pb2.RecognizeStreamResponse]",
    ) -> AsyncIterator[ocr_pb2.RecognizeStreamResponse]:
        """One page, its events as they come."""
        page = await self._page(request.picture, wire.options_from_proto(request.options))
        async with aclosing(self._pipeline.recognize(page, _asker(context, streaming=True))) as events:
            async for event in events:
                yield wire.event_to_proto(event)

    async def RecognizePages(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.RecognizePagesRequest,
        context: "grpc.aio.ServicerContext[ocr_pb2.RecognizePagesRequest, ocr_pb2.RecognizePagesResponse]",
    ) -> AsyncIterator[ocr_pb2.RecognizePagesResponse]:
        """Several pages as one document, when all of them are read."""
        options = wire.options_from_proto(request.options)
        self._together.lane(options, len(request.pictures))  # before any of them is fetched
        pages = []
        for number, picture in enumerate(request.pictures):
            with blaming(number):
                pages.append(await self._page(picture, options))
        for read in await self._together.recognize(pages, _asker(context, streaming=False)):
            yield ocr_pb2.RecognizePagesResponse(recognition=wire.recognition_to_proto(read))

    async def Describe(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.DescribeRequest,  # noqa: ARG002 - it is empty
        context: "grpc.aio.ServicerContext[ocr_pb2.DescribeRequest, ocr_pb2.DescribeResponse]",  # noqa: ARG002
    ) -> ocr_pb2.DescribeResponse:
        """Engines, limits and load."""
        lanes = self._pipeline.registry.lanes
        return ocr_pb2.DescribeResponse(
            engines=map(_describe, lanes),
            limits=_limits(self._settings),
            load=_load(lanes),
            version=version("pecia-ocr"),
            walls=_walls(self._told.walls),
        )

    async def Forget(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.ForgetRequest,
        context: "grpc.aio.ServicerContext[ocr_pb2.ForgetRequest, ocr_pb2.ForgetResponse]",  # noqa: ARG002
    ) -> ocr_pb2.ForgetResponse:
        """Results of a tenant, here and where they are shared."""
        return ocr_pb2.ForgetResponse(results=await self._pipeline.forget(request.tenant))

    async def KeyUses(  # noqa: N802 - named by the contract
        self,
        request: ocr_pb2.KeyUsesRequest,  # noqa: ARG002 - it is empty
        context: "grpc.aio.ServicerContext[ocr_pb2.KeyUsesRequest, ocr_pb2.KeyUsesResponse]",  # noqa: ARG002
    ) -> ocr_pb2.KeyUsesResponse:
        """When keys were used last at this process."""
        return ocr_pb2.KeyUsesResponse(used=self._told.uses())

    async def _page(self, picture: ocr_pb2.Picture, options: RecognizeOptions) -> PageInput:
        match picture.WhichOneof("source"):
            case "encoded":
                return PageInput(picture.encoded, options, request_id.get())
            case "raw":
                raw = RawShape(
                    picture.raw.width, picture.raw.height, picture.raw.channels, picture.raw.stride
                )
                return PageInput(picture.raw.data, options, request_id.get(), raw)
            case "blob":
                blob = picture.blob
                data = await asyncio.to_thread(self._blobs.read, blob.key, blob.sha256, tenant.get())
                return PageInput(data, options, request_id.get())
            case _:
                raise InvalidRequest(
                    "The request has no picture.", code="missing_required_parameter", param="picture"
                )


def _asker(context: "grpc.aio.ServicerContext[Any, Any]", *, streaming: bool) -> Asker:
    metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
    control = CacheControl.parsed(metadata.get("cache-control", ""))
    return Asker(tenant.get(), context.time_remaining(), control, streaming)


def _describe(lane: Lane) -> ocr_pb2.EngineDescription:
    info = lane.info
    return ocr_pb2.EngineDescription(
        name=lane.name,
        models=names_of(lane),
        revision=info.revision if info else "",
        state=ocr_pb2.EngineState.Value(f"ENGINE_STATE_{lane.state.name}"),
        reason=lane.reason,
        tasks=[wire.task_to_proto(task) for task in info.tasks] if info else (),
        sizes=[wire.size_to_proto(size) for size in info.sizes] if info else (),
        languages=info.languages if info else (),
        slots=lane.slots,
        load_progress=lane.load_progress,
        pages_together=info.pages_together if info else 0,
    )


def _limits(settings: Settings) -> ocr_pb2.Limits:
    return ocr_pb2.Limits(
        max_picture_bytes=settings.limits.max_picture_bytes,
        max_picture_pixels=settings.limits.max_picture_pixels,
        max_queue_length=settings.limits.max_queue_length,
        max_duration=Duration(seconds=int(settings.inference_timeout_s)),
        max_message_bytes=settings.grpc.max_message_bytes,
    )


def _walls(walls: Walls | None) -> ocr_pb2.Walls | None:
    if walls is None:
        return None
    return ocr_pb2.Walls(
        landlock=walls.bearing.landlock,
        seccomp=walls.bearing.seccomp,
        no_new_privs=walls.bearing.no_new_privs,
        memory_bytes=walls.memory_bytes,
        cpu=Duration(seconds=int(walls.cpu_s)),
    )


def _load(lanes: list[Lane]) -> ocr_pb2.Load:
    return ocr_pb2.Load(
        free_slots=sum(lane.free_slots for lane in lanes),
        queue_length=sum(lane.queue_length for lane in lanes),
        running=sum(lane.running for lane in lanes),
        pages_per_second=sum(lane.pace.pages_per_second for lane in lanes),
    )
