"""The ladder, over the socket: a model server that fails in every way, Tesseract below it."""

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_ocr.engines.deepseek.recorded import ModelServer, answer, played
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import running
from PIL import Image, ImageDraw

LOOP = answer("the same line\n" * 2000, piece=14)
SEVERAL_SIZES = """
family = "deepseek-ocr"
sizes = ["gundam", "base", "tiny"]
[request]
"""
Stub = Any  # calls that are awaited


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """What the model is played by."""
    with played() as server:
        yield server


@pytest.fixture
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server that can be asked for several sizes."""
    file = tmp_path_factory.mktemp("served") / "several.toml"
    file.write_text(SEVERAL_SIZES)
    return str(file)


@asynccontextmanager
async def serving(model: ModelServer, profile: str, **changes: Any) -> AsyncIterator[tuple[OcrServer, Stub]]:
    """A service whose DeepSeek engine asks that server, with Tesseract beside it."""
    groups = {
        "grpc": {"port": 0},
        "engines": {"rapid": False},
        "deepseek": {"server_url": model.url, "server_profile": profile, "pages_at_once": 4},
        **changes,
    }
    async with (
        running(Settings.model_validate(groups)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield server, ocr_pb2_grpc.OcrServiceStub(channel)


def page() -> bytes:
    """Words that Tesseract reads."""
    picture = Image.new("RGB", (600, 200), "white")
    ImageDraw.Draw(picture).text((40, 60), "Total 150 paid", fill="black", font_size=60)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def asking(**options: Any) -> dict[str, Any]:
    """The fields of a request for DeepSeek-OCR."""
    return {
        "picture": ocr_pb2.Picture(encoded=page()),
        "options": ocr_pb2.RecognizeOptions(model="deepseek-ocr", **options),
    }


def fallbacks(server: OcrServer, trouble: str, engine: str) -> float:
    """What the metric counts."""
    labels = {"trouble": trouble, "engine": engine}
    return server.metrics_registry.get_sample_value("pecia_fallbacks_total", labels) or 0.0


async def test_a_good_answer_is_no_fallback(model: ModelServer, profile: str) -> None:
    """Nothing is flagged."""
    async with serving(model, profile) as (_, stub):
        reply = (await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))).recognition
    assert (reply.text, reply.engine, reply.attempts, reply.fallback_from) == ("hello", "deepseek", 1, "")
    assert not reply.warnings


async def test_a_loop_is_read_in_a_smaller_size(model: ModelServer, profile: str) -> None:
    """The looped text is thrown away, and the caller learns of the second attempt."""
    replies = iter([LOOP, answer("read well")])
    model.play = lambda _: next(replies)
    async with serving(model, profile) as (server, stub):
        reply = (await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))).recognition
        assert fallbacks(server, "repetition", "deepseek") == 1
    assert (reply.text, reply.engine, reply.attempts, reply.fallback_from) == ("read well", "deepseek", 2, "")
    assert [warning.code for warning in reply.warnings] == ["engine_fallback"]


async def test_a_loop_that_stays_is_read_by_a_cpu_engine(model: ModelServer, profile: str) -> None:
    """Down all rungs: smaller, plain text, then Tesseract."""
    model.events = LOOP
    async with serving(model, profile) as (server, stub):
        request = ocr_pb2.RecognizeRequest(**asking(task_type=ocr_pb2.TASK_TYPE_MARKDOWN))
        reply = (await stub.Recognize(request)).recognition
        assert fallbacks(server, "repetition", "tesseract") == 1
    assert "150" in reply.text
    assert (reply.engine, reply.attempts, reply.fallback_from) == ("tesseract", 4, "deepseek-ocr")
    prompts = [asked["messages"][0]["content"][1]["text"] for asked in model.asked]
    assert ["markdown" in prompt for prompt in prompts] == [True, True, False]


async def test_without_leave_to_fall_back_the_loop_is_told(model: ModelServer, profile: str) -> None:
    """The last attempt's text comes with its reason."""
    model.events = LOOP
    async with serving(model, profile, gpu_autofallback=False) as (_, stub):
        reply = (await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))).recognition
    assert (reply.engine, reply.attempts) == ("deepseek", 2)
    assert reply.finish_reason == ocr_pb2.FINISH_REASON_REPETITION
    assert reply.text.startswith("the same line")


async def test_what_was_streamed_is_not_taken_back(model: ModelServer, profile: str) -> None:
    """The stream ends where the loop was seen; its deltas are the text of its end."""
    model.events = LOOP
    async with serving(model, profile) as (_, stub):
        events = [event async for event in stub.RecognizeStream(ocr_pb2.RecognizeStreamRequest(**asking()))]
    finished = events[-1].finished
    assert (finished.finish_reason, finished.attempts) == (ocr_pb2.FINISH_REASON_REPETITION, 1)
    assert "".join(event.delta.text for event in events) == finished.text
    assert len(model.asked) == 1


async def test_a_stream_that_said_nothing_yet_goes_on_with_a_cpu_engine(
    model: ModelServer, profile: str
) -> None:
    """The caller hears one beginning and Tesseract's lines."""
    model.status = 500
    async with serving(model, profile) as (_, stub):
        events = [event async for event in stub.RecognizeStream(ocr_pb2.RecognizeStreamRequest(**asking()))]
    assert [event.WhichOneof("event") for event in events].count("started") == 1
    finished = events[-1].finished
    assert (finished.engine, finished.fallback_from, finished.attempts) == ("tesseract", "deepseek-ocr", 2)
    assert "150" in finished.text


async def test_too_little_memory_is_tried_smaller_then_told(model: ModelServer, profile: str) -> None:
    """Every smaller size once; the end is an error that says a retry does not help."""
    model.status = 507
    async with serving(model, profile) as (server, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))
        assert fallbacks(server, "memory", "deepseek") == 2
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(model.asked) == 3


async def test_a_broken_server_is_stood_in_for(model: ModelServer, profile: str) -> None:
    """Flagged and counted; without leave, the failure is the caller's."""
    model.status = 500
    async with serving(model, profile) as (server, stub):
        reply = (await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))).recognition
        assert fallbacks(server, "broken", "tesseract") == 1
    assert (reply.engine, reply.fallback_from) == ("tesseract", "deepseek-ocr")
    async with serving(model, profile, gpu_autofallback=False) as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_task_no_cpu_engine_can_do_is_not_handed_down(model: ModelServer, profile: str) -> None:
    """Nobody else describes a picture: the failure stays one."""
    model.status = 500
    async with serving(model, profile) as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Recognize(ocr_pb2.RecognizeRequest(**asking(task_type=ocr_pb2.TASK_TYPE_DESCRIBE)))


async def test_a_gpu_that_is_switched_off_is_not_used(model: ModelServer, profile: str) -> None:
    """OCR_GPU_ENABLED=false: as if there were none."""
    async with serving(model, profile, gpu_enabled=False) as (_, stub):
        reply = (await stub.Recognize(ocr_pb2.RecognizeRequest(**asking()))).recognition
    assert (reply.engine, reply.fallback_from) == ("tesseract", "deepseek-ocr")
    assert not model.asked
