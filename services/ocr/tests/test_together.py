"""Several pages as one document, over the socket: a model server that reads them so, Tesseract beside it."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_ocr.engines.deepseek.recorded import ModelServer, answer, played
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import running, until
from PIL import Image, ImageDraw

FIRST = (
    "<PAGE>\n<|det|>title [100, 50, 900, 120]<|/det|># Report\n<|det|>text [100, 200, 900, 300]<|/det|>One."
)
SECOND = "<PAGE>\n<|det|>text [100, 100, 900, 400]<|/det|>Two."
THIRD = "<PAGE>\n<|det|>text [0, 0, 999, 999]<|/det|>Three."
LOOP = "<PAGE>\n" + "the same line again\n" * 500
Stub = Any  # calls that are awaited


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """What the model is played by."""
    with played() as server:
        yield server


@asynccontextmanager
async def serving(model: ModelServer, **changes: Any) -> AsyncIterator[tuple[OcrServer, Stub]]:
    """A service whose DeepSeek engine asks that server, with Tesseract beside it."""
    groups = {
        "grpc": {"port": 0},
        "engines": {"rapid": False, "scripted": True},
        "deepseek": {"server_url": model.url, "server_profile": "unlimited-ocr-sglang", "pages_at_once": 4},
        **changes,
    }
    async with (
        running(Settings.model_validate(groups)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield server, ocr_pb2_grpc.OcrServiceStub(channel)


def page(text: str = "Total 150 paid", size: tuple[int, int] = (600, 200)) -> bytes:
    """Words that Tesseract reads; no text = a blank page."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((40, 60), text, fill="black", font_size=60)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def pages_of(count: int) -> list[bytes]:
    """Pages of which no two are alike."""
    return [page(f"Total 150 paid {number}") for number in range(count)]


def asking(pages: Sequence[bytes], **options: Any) -> ocr_pb2.RecognizePagesRequest:
    """A request for DeepSeek-OCR, if no other model is named."""
    return ocr_pb2.RecognizePagesRequest(
        pictures=[ocr_pb2.Picture(encoded=data) for data in pages],
        options=ocr_pb2.RecognizeOptions(**{"model": "deepseek-ocr", **options}),
    )


def alone() -> ocr_pb2.RecognizeRequest:
    """The same of one page."""
    options = ocr_pb2.RecognizeOptions(model="deepseek-ocr")
    return ocr_pb2.RecognizeRequest(picture=ocr_pb2.Picture(encoded=page("alone")), options=options)


async def read(stub: Stub, request: ocr_pb2.RecognizePagesRequest) -> list[ocr_pb2.Recognition]:
    """The pages."""
    return [said.recognition async for said in stub.RecognizePages(request)]


async def refused(stub: Stub, request: ocr_pb2.RecognizePagesRequest) -> tuple[str, str]:
    """Code and param of the error."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await read(stub, request)
    metadata = dict(failed.value.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason, info.metadata["param"]


def counted(server: OcrServer, outcome: str) -> float:
    """What the metric counts."""
    labels = {"outcome": outcome}
    return server.metrics_registry.get_sample_value("pecia_pages_together_total", labels) or 0.0


def pictures_of(asked: dict[str, Any]) -> int:
    """How many the model server was shown."""
    return sum(part["type"] == "image_url" for part in asked["messages"][0]["content"])


async def test_pages_are_read_as_one_document(model: ModelServer) -> None:
    """One question about both; text, blocks, boxes, numbers and tokens are each page's own."""
    model.events = answer(FIRST + SECOND)
    async with serving(model) as (server, stub):
        request = asking([page(), page(size=(600, 900))], page_index=7, task_type=ocr_pb2.TASK_TYPE_MARKDOWN)
        one, two = await read(stub, request)
        engines = {engine.name: engine for engine in (await stub.Describe(ocr_pb2.DescribeRequest())).engines}
        assert counted(server, "read") == 2
    assert (engines["deepseek"].pages_together, engines["tesseract"].pages_together) == (8, 1)
    (asked,) = model.asked
    assert pictures_of(asked) == 2
    assert asked["messages"][0]["content"][-1]["text"] == "Multi page parsing."
    assert asked["images_config"] == {"image_mode": "base"}
    assert (one.text, two.text) == ("# Report\nOne.", "Two.")
    assert [block.label for block in one.page.blocks] == ["title", "text"]
    assert two.page.blocks[0].polygon.points[2].y == int(400 / 999 * 900)
    for number, recognition in enumerate((one, two)):
        assert (recognition.page.index, recognition.engine) == (7 + number, "deepseek")
        assert not recognition.warnings
        timings = recognition.timings
        parts = timings.queue_ms + timings.decode_ms + timings.engine_ms
        assert timings.total_ms == pytest.approx(parts)
    assert (one.timings.queue_ms > 0, two.timings.queue_ms) == (True, 0)
    assert one.usage.completion_tokens + two.usage.completion_tokens == 40
    assert one.usage.prompt_tokens + two.usage.prompt_tokens == 913


async def test_a_blank_page_is_not_shown(model: ModelServer) -> None:
    """It is in the answer all the same, in its place."""
    model.events = answer(FIRST + SECOND)
    async with serving(model) as (_, stub):
        pages = await read(stub, asking([page(""), page(), page(""), page("x"), page("")]))
        blank = await read(stub, asking([page("")] * 3))
    assert pictures_of(model.asked[0]) == 2
    assert len(model.asked) == 1
    assert [recognition.text for recognition in pages] == ["", "# Report\nOne.", "", "Two.", ""]
    assert [recognition.text for recognition in blank] == [""] * 3


@pytest.mark.parametrize(
    "said",
    [
        answer(FIRST),  # left the others out
        answer(FIRST + SECOND.removeprefix("<PAGE>") + THIRD),  # lost a mark: whose is the second text?
        answer(FIRST.removeprefix("<PAGE>") + SECOND + THIRD),  # marks between the pages only
        answer(FIRST + SECOND + SECOND + THIRD),  # one too many
        answer(FIRST.removeprefix("<PAGE>") + SECOND + THIRD + THIRD),  # one too few and one too many
        answer("<PAGE>\n" * 3),  # nothing behind them
        answer(FIRST + "<PAGE>\n" + THIRD),
        answer(FIRST + SECOND + THIRD, "length"),  # cut off, who knows where
        answer(FIRST + LOOP, piece=20),
        answer("<PAGE>\nround and round\n" * 500, piece=20),
        answer(""),
    ],
)
async def test_an_answer_that_cannot_be_divided_is_none(model: ModelServer, said: list[str]) -> None:
    """Nobody gets a page with the words of another; the caller is told to send them one by one."""
    model.events = said
    async with serving(model) as (server, stub):
        assert await refused(stub, asking(pages_of(3))) == ("pages_not_together", "pictures")
        assert counted(server, "pages_not_together") == 3
        model.events = answer("hello")
        assert (await stub.Recognize(alone())).recognition.text == "hello"


async def test_a_loop_over_pages_is_hung_up_on(model: ModelServer) -> None:
    """More marks than pages are enough: nobody waits for the thousand that would follow."""
    model.events = answer("<PAGE>\nround and round\n" * 20_000, piece=23)
    async with serving(model) as (_, stub):
        assert (await refused(stub, asking(pages_of(2))))[0] == "pages_not_together"
    assert model.hung_up.wait(20)


async def test_a_model_that_fails_says_so(model: ModelServer) -> None:
    """As of a single page: the ladder is for those."""
    model.status = 500
    async with serving(model) as (_, stub):
        assert (await refused(stub, asking(pages_of(2))))[0] == "engine_unavailable"


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "tesseract"},
        {"model": "deepseek-ocr:tiny"},
        {"model_size": ocr_pb2.MODEL_SIZE_TINY},
        {"model": "scripted", "task_type": ocr_pb2.TASK_TYPE_DESCRIBE},
    ],
)
async def test_who_cannot_says_so_first(model: ModelServer, fields: dict[str, Any]) -> None:
    """Another engine, or a size the model did not learn it with."""
    async with serving(model) as (_, stub):
        assert (await refused(stub, asking(pages_of(2), **fields)))[0] == "pages_not_together"
    assert not model.asked


@pytest.mark.parametrize(
    ("pages", "code", "param"),
    [
        ([], "missing_required_parameter", "pictures"),
        ([page(), b"<html>"], "unsupported_image_media_type", "pictures[1]"),
        ([page(), b""], "empty_image_file", "pictures[1]"),
        ([page(), page()[:200]], "invalid_image", "pictures[1]"),
        ([page()] * 9, "pages_not_together", "pictures"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    model: ModelServer, pages: list[bytes], code: str, param: str
) -> None:
    """Before the model sees anything, with the picture at fault where that shows."""
    async with serving(model) as (_, stub):
        assert await refused(stub, asking(pages)) == (code, param)
    assert not model.asked


async def test_more_is_refused_before_any_of_it_is_fetched(model: ModelServer, tmp_path: Path) -> None:
    """A reference is a few bytes, and what it leads to is megabytes."""
    missing = ocr_pb2.Picture(blob=ocr_pb2.BlobReference(key="none"))
    options = ocr_pb2.RecognizeOptions(model="deepseek-ocr", page_index=2**31 - 2)
    async with serving(model, blobs={"root": tmp_path}) as (_, stub):
        many = ocr_pb2.RecognizePagesRequest(pictures=[missing] * 2000, options=options)
        assert await refused(stub, many) == ("pages_not_together", "pictures")
        one = ocr_pb2.RecognizePagesRequest(
            pictures=[ocr_pb2.Picture(encoded=page()), missing], options=options
        )
        assert (await refused(stub, one))[1] == "pictures[1]"
        empty = ocr_pb2.RecognizePagesRequest(pictures=[ocr_pb2.Picture()] * 2, options=options)
        assert (await refused(stub, empty))[1] == "pictures[0]"
        last = asking(pages_of(2), page_index=2**31 - 2)
        assert await refused(stub, last) == ("invalid_request", "page_index")


async def test_together_they_are_held_to_what_one_may_have(model: ModelServer) -> None:
    """Bytes that wait, for all tenants and for one; pixels that are decoded at once."""
    model.events = answer(FIRST + SECOND)
    size = len(page())
    limits: list[tuple[dict[str, int], str]] = [
        ({"max_waiting_bytes": size + 100}, "queue_full"),
        ({"tenant_waiting_bytes": size + 100}, "queue_full"),
        ({"max_picture_pixels": 600 * 200 + 100}, "pages_not_together"),
    ]
    for limit, code in limits:
        async with serving(model, limits=limit) as (_, stub):
            assert (await refused(stub, asking(pages_of(2))))[0] == code
            model.events = answer("hello")
            assert (await stub.Recognize(alone())).recognition.text == "hello"


async def test_nothing_is_kept(model: ModelServer) -> None:
    """Their words depend on each other."""
    model.events = answer(FIRST + SECOND)
    async with serving(model) as (_, stub):
        for _ in range(2):
            pages = await read(stub, asking(pages_of(2)))
            assert not any(recognition.cached for recognition in pages)
    assert len(model.asked) == 2


async def test_lines_are_not_compared(model: ModelServer) -> None:
    """Where they were to be, it is said."""
    model.events = answer(FIRST + SECOND)
    groups = {"server_url": model.url, "server_profile": "unlimited-ocr-sglang", "align_lines": True}
    async with serving(model, deepseek=groups) as (_, stub):
        pages = await read(stub, asking(pages_of(2)))
    for recognition in pages:
        assert [warning.code for warning in recognition.warnings] == ["lines_not_compared"]


async def test_a_deadline_holds(model: ModelServer) -> None:
    """And frees the place."""
    model.hold = Event()
    async with serving(model) as (server, stub):
        with pytest.raises(grpc.aio.AioRpcError) as late:
            async for _ in stub.RecognizePages(asking(pages_of(2)), timeout=1.0):
                pass
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        lane = next(lane for lane in server.lanes if lane.name == "deepseek")
        await until(lambda: lane.running == 0)


async def test_hanging_up_frees_the_place(model: ModelServer) -> None:
    """Nobody reads on, and the next pages are read."""
    async with serving(model) as (server, stub):
        call = stub.RecognizePages(asking(pages_of(2), model="scripted", ref_text="slow"))
        scripted = next(lane for lane in server.lanes if lane.name == "scripted")
        asked = asyncio.ensure_future(call.read())
        await until(lambda: scripted.running == 1)
        call.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await until(lambda: scripted.running == 0)
        pages = await read(stub, asking(pages_of(4), model="scripted"))
    assert len({recognition.text for recognition in pages}) == 4
