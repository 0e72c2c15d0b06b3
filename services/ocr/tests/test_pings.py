"""Callers ping while a page is read: a silent connection may be cut by what stands between."""

from collections.abc import Awaitable, Callable

import grpc
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import picture, scripted_settings

StartServer = Callable[..., Awaitable[OcrServer]]

EVERY_SECOND = [("grpc.keepalive_time_ms", 1000), ("grpc.http2.max_pings_without_data", 0)]


async def _silent_call(server: OcrServer) -> ocr_pb2.RecognizeResponse:
    """Eight seconds without a word from the service, and a ping each second."""
    options = ocr_pb2.RecognizeOptions(model="scripted", ref_text="slow count=1 delay_s=8")
    request = ocr_pb2.RecognizeRequest(picture=ocr_pb2.Picture(encoded=picture()), options=options)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", EVERY_SECOND) as channel:
        return await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(request)


async def test_a_silent_call_survives_its_pings(start_server: StartServer) -> None:
    """Pings as often as the service allows are answered."""
    server = await start_server(scripted_settings(grpc={"port": 0, "min_ping_interval_s": 1}))
    assert (await _silent_call(server)).recognition.text


async def test_who_pings_too_often_is_hung_up_on(start_server: StartServer) -> None:
    """With gRPC's own bound the same call fails: the setting is what keeps it alive."""
    server = await start_server(scripted_settings(grpc={"port": 0, "min_ping_interval_s": 300}))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _silent_call(server)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
