"""DeepSeek-OCR with a CPU engine beside it: pages that lie on their side, and lines that both have read."""

import base64
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

pytestmark = pytest.mark.engine
WORDS = (
    "Invoice number 20311 of March",
    "Three bags of roasted coffee",
    "Delivered to the back entrance",
    "Grand total to be paid 148.50",
    "Thank you for your purchase",
)
WIDTH, HEIGHT = 700, 440


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """What the model is played by."""
    with played() as server:
        yield server


@asynccontextmanager
async def serving(model: ModelServer, **deepseek: Any) -> AsyncIterator[tuple[OcrServer, Any]]:
    """A service whose DeepSeek engine asks that server, with PP-OCR beside it."""
    groups = {
        "grpc": {"port": 0},
        "cache": {"enabled": False},
        "engines": {"tesseract": False, "rapid_workers": 1},
        "deepseek": {"server_url": model.url, "pages_at_once": 4, **deepseek},
    }
    async with (
        running(Settings.model_validate(groups)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield server, ocr_pb2_grpc.OcrServiceStub(channel)


def asking(rotation: int = 0, **options: Any) -> ocr_pb2.RecognizeRequest:
    """The page of `WORDS`, which has to be turned so many degrees clockwise to be read."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    for row, words in enumerate(WORDS):
        draw.text((40, 30 + 80 * row), words, fill="black", font_size=36)
    draw.rectangle((WIDTH - 20, 0, WIDTH, 10), fill="red")  # top right of the upright page
    buffer = io.BytesIO()
    picture.rotate(rotation, expand=True).save(buffer, "PNG")
    return ocr_pb2.RecognizeRequest(
        picture=ocr_pb2.Picture(encoded=buffer.getvalue()),
        options=ocr_pb2.RecognizeOptions(model="deepseek-ocr", **options),
    )


def shown(model: ModelServer) -> Image.Image:
    """The picture the model was given last."""
    url = model.asked[-1]["messages"][0]["content"][0]["image_url"]["url"]
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")


def box_of(polygon: Any) -> tuple[float, float, float, float]:
    """Its corners' extremes."""
    across, down = [point.x for point in polygon.points], [point.y for point in polygon.points]
    return min(across), min(down), max(across), max(down)


async def test_pages_are_turned_before_the_model_sees_them(model: ModelServer) -> None:
    """From all four sides: the model gets an upright page, and its boxes are places on the page as sent."""
    model.events = answer("<|ref|>image<|/ref|><|det|>[[0, 0, 499, 249]]<|/det|>\n")
    corners = {
        0: (0, 0, 350, 110),
        90: (0, 350, 110, 700),
        180: (350, 330, 700, 440),
        270: (330, 0, 440, 350),
    }
    async with serving(model) as (server, stub):
        for rotation, corner in corners.items():
            task = ocr_pb2.TASK_TYPE_MARKDOWN
            reply = (await stub.Recognize(asking(rotation, task_type=task, figures=True))).recognition
            seen = shown(model)
            assert seen.size == (WIDTH, HEIGHT), rotation
            assert seen.getpixel((WIDTH - 5, 3))[0] > 200 > seen.getpixel((WIDTH - 5, 3))[1], rotation  # type: ignore[index]
            assert reply.page.rotation == rotation
            assert box_of(reply.page.blocks[0].polygon) == pytest.approx(corner, abs=2), rotation
            (figure,) = reply.figures
            assert (figure.name, figure.width, figure.height) == ("figure-1", 350, 110) or figure.width in (
                349,
                350,
            )
        turned = server.metrics_registry.get_sample_value
        assert [turned("pecia_turned_pages_total", {"rotation": str(degrees)}) for degrees in corners] == [
            None,
            *[1.0] * 3,
        ]


async def test_pages_stay_as_they_are_where_nobody_turns_them(model: ModelServer) -> None:
    """Off, the model gets the page as it came; on, but with no CPU engine ready, as well."""
    model.events = answer("hello")
    async with serving(model, turn_pages=False) as (_, stub):
        reply = (await stub.Recognize(asking(90))).recognition
    assert (shown(model).size, reply.page.rotation) == ((HEIGHT, WIDTH), 0)


async def test_lines_get_places_and_how_far_both_agree(model: ModelServer) -> None:
    """One wrong figure, one line left out: text and stream are the model's, the lines say the rest."""
    said = "\n".join((*WORDS[:2], WORDS[3].replace("148", "743"), WORDS[4]))
    model.events = answer(said)
    async with serving(model, align_lines=True) as (_, stub):
        reply = (await stub.Recognize(asking(180))).recognition
        streamed = [event async for event in stub.RecognizeStream(_streaming(asking(180)))]
    assert (reply.text, reply.engine) == (said, "deepseek")
    lines = [line for block in reply.page.blocks for line in block.lines]
    assert [line.text for line in lines] == said.split("\n")
    assert [line.confidence > 0.95 for line in lines] == [True, True, False, True]
    assert 0.7 < lines[2].confidence < 0.95
    # The page is upside down, so that the first line is the lowest, and begins on the right.
    _, top, right, bottom = box_of(lines[0].polygon)
    assert top > HEIGHT - 100
    assert bottom < HEIGHT
    assert right == pytest.approx(WIDTH - 40, abs=15)
    assert 0.6 < reply.agreement < 0.95
    assert [(notice.code, notice.message.endswith(": 1.")) for notice in reply.warnings] == [
        ("lines_missing", True)
    ]
    assert "".join(event.delta.text for event in streamed) == said
    assert streamed[-1].finished.agreement == reply.agreement


async def test_other_tasks_are_not_compared(model: ModelServer) -> None:
    """What a model says about a page is not on it."""
    model.events = answer("A bill.")
    async with serving(model, align_lines=True) as (_, stub):
        reply = (await stub.Recognize(asking(task_type=ocr_pb2.TASK_TYPE_DESCRIBE))).recognition
    assert not reply.HasField("agreement")
    assert not reply.warnings


async def test_without_a_second_engine_it_says_so(model: ModelServer) -> None:
    """The setting is on and nobody can compare: the answer comes, with a warning."""
    model.events = answer("hello")
    groups = {
        "grpc": {"port": 0},
        "engines": {"rapid": False, "tesseract": False},
        "deepseek": {"server_url": model.url, "align_lines": True},
    }
    async with (
        running(Settings.model_validate(groups)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        reply = (await ocr_pb2_grpc.OcrServiceStub(channel).Recognize(asking())).recognition
    assert reply.text == "hello"
    assert [notice.code for notice in reply.warnings] == ["lines_not_compared"]


def _streaming(request: ocr_pb2.RecognizeRequest) -> ocr_pb2.RecognizeStreamRequest:
    return ocr_pb2.RecognizeStreamRequest(picture=request.picture, options=request.options)
