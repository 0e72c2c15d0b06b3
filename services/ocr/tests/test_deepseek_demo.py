"""The small checkpoint that comes along: there when its folder and torch are, under its own name."""

from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import grpc
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.vocabulary import EngineName
from pecia_ocr.lanes import build_lanes
from pecia_ocr.server import OcrServer
from pecia_ocr.testing import scripted_settings
from PIL import Image, ImageDraw

StartServer = Callable[..., Awaitable[OcrServer]]


async def test_it_is_served_beside_the_others(start_server: StartServer, tiny_checkpoint: Path) -> None:
    """Described with the one size and task it was taught; other sizes are refused with what there is."""
    server = await start_server(scripted_settings(deepseek={"demo": True, "demo_path": tiny_checkpoint}))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ocr_pb2_grpc.OcrServiceStub(channel)
        engines = (await stub.Describe(ocr_pb2.DescribeRequest())).engines
        (demo,) = (engine for engine in engines if engine.name == "deepseek")
        assert list(demo.models) == ["deepseek-ocr-demo"]
        assert list(demo.sizes) == [ocr_pb2.MODEL_SIZE_TINY]
        assert list(demo.tasks) == [ocr_pb2.TASK_TYPE_FREE_OCR]
        asked = ocr_pb2.RecognizeRequest(
            picture=ocr_pb2.Picture(encoded=_inked()),
            options=ocr_pb2.RecognizeOptions(model="deepseek-ocr-demo"),
        )
        reply = (await stub.Recognize(asked)).recognition
        assert (reply.engine, reply.fallback_from) == ("deepseek", "")
        assert reply.usage.image_tokens == 73
        assert 1 <= reply.usage.completion_tokens <= 64
        asked.options.model_size = ocr_pb2.MODEL_SIZE_LARGE
        with pytest.raises(grpc.aio.AioRpcError, match="only tiny"):
            await stub.Recognize(asked)


@pytest.mark.parametrize("why", ["off", "no folder", "a model of the owner's"])
def test_it_is_not_there(why: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Where nobody wants it, where none came along, and where somebody has a model of their own."""
    folder = tmp_path if why == "no folder" else tiny_checkpoint
    settings = scripted_settings(deepseek={"demo": why != "off", "demo_path": folder})
    settings.model_path = tiny_checkpoint if why == "a model of the owner's" else None
    lanes = [lane for lane in build_lanes(settings) if lane.name is EngineName.DEEPSEEK]
    assert [lane.demo for lane in lanes] == ([False] if settings.model_path else [])


def _inked() -> bytes:
    """Not blank, which would be answered without the model."""
    page = Image.new("RGB", (320, 320), "white")
    ImageDraw.Draw(page).text((20, 120), "TOTAL 150", fill="black", font_size=48)
    buffer = BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
