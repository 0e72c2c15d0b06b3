"""Several pages as one document, over the socket: a model server that reads them so, Tesseract beside it."""

import io
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
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
Told = list[tuple[int, ocr_pb2.RecognizeStreamResponse]]


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


def asking(pages: Sequence[bytes], *, whole: bool = False, **options: Any) -> ocr_pb2.RecognizePagesRequest:
    """A request for DeepSeek-OCR, if no other model is named."""
    return ocr_pb2.RecognizePagesRequest(
        pictures=[ocr_pb2.Picture(encoded=data) for data in pages],
        options=ocr_pb2.RecognizeOptions(**{"model": "deepseek-ocr", **options}),
        whole=whole,
    )


async def told(stub: Stub, request: ocr_pb2.RecognizePagesRequest) -> Told:
    """All that comes."""
    return [(said.picture, said.event) async for said in stub.RecognizePages(request)]


def finished(events: Told) -> list[ocr_pb2.Recognition]:
    """The pages as they ended, in order."""
    ends = [(number, event.finished) for number, event in events if event.HasField("finished")]
    assert [number for number, _ in ends] == list(range(len(ends)))
    return [recognition for _, recognition in ends]


def codes(recognition: ocr_pb2.Recognition) -> list[str]:
    """Of its warnings."""
    return [warning.code for warning in recognition.warnings]


def apart(server: OcrServer, trouble: str) -> float:
    """What the metric counts."""
    name = "pecia_pages_read_apart_total"
    return server.metrics_registry.get_sample_value(name, {"trouble": trouble}) or 0.0


def pictures_of(asked: dict[str, Any]) -> int:
    """How many the model server was shown."""
    return sum(part["type"] == "image_url" for part in asked["messages"][0]["content"])


async def test_pages_are_read_as_one_document(model: ModelServer) -> None:
    """One question about both; text, blocks and boxes are each page's own."""
    model.events = answer(FIRST + SECOND)
    async with serving(model) as (_, stub):
        request = asking([page(), page(size=(600, 900))], page_index=7, task_type=ocr_pb2.TASK_TYPE_MARKDOWN)
        events = await told(stub, request)
        engines = {engine.name: engine for engine in (await stub.Describe(ocr_pb2.DescribeRequest())).engines}
    assert (engines["deepseek"].pages_together, engines["tesseract"].pages_together) == (8, 1)
    (asked,) = model.asked
    assert pictures_of(asked) == 2
    assert asked["messages"][0]["content"][-1]["text"] == "Multi page parsing."
    assert asked["images_config"] == {"image_mode": "base"}
    one, two = finished(events)
    assert (one.text, two.text) == ("# Report\nOne.", "Two.")
    for number, recognition in enumerate((one, two)):
        deltas = [event.delta.text for of, event in events if of == number and event.HasField("delta")]
        assert "".join(deltas) == recognition.text
        assert not recognition.warnings
    assert [recognition.page.index for recognition in (one, two)] == [7, 8]
    assert [block.label for block in one.page.blocks] == ["title", "text"]
    assert two.page.blocks[0].polygon.points[2].y == int(400 / 999 * 900)
    assert events[0][1].started.engine == "deepseek"


async def test_a_blank_page_is_not_shown(model: ModelServer) -> None:
    """It is in the answer all the same, in its place."""
    model.events = answer(FIRST + SECOND)
    async with serving(model) as (_, stub):
        pages = finished(await told(stub, asking([page(""), page(), page(""), page(), page("")])))
    assert pictures_of(model.asked[0]) == 2
    assert [recognition.text for recognition in pages] == ["", "# Report\nOne.", "", "Two.", ""]


async def test_what_the_model_leaves_out_is_read_by_itself(model: ModelServer) -> None:
    """And says so."""
    replies = iter([answer(FIRST + SECOND), answer(THIRD)])
    model.play = lambda _: next(replies)
    async with serving(model) as (server, stub):
        pages = finished(await told(stub, asking(pages_of(3))))
        assert apart(server, "missing") == 1
    assert [recognition.text for recognition in pages] == ["# Report\nOne.", "Two.", "Three."]
    assert [codes(recognition) for recognition in pages] == [[], [], ["page_read_apart"]]
    assert [pictures_of(asked) for asked in model.asked] == [3, 1]


async def test_an_unheard_loop_is_read_again(model: ModelServer) -> None:
    """Whole pages only: the one that loops is read by itself, and so are those behind it."""
    replies = iter([answer(FIRST + LOOP, piece=20), answer(SECOND), answer(THIRD)])
    model.play = lambda _: next(replies)
    async with serving(model) as (server, stub):
        events = await told(stub, asking(pages_of(3), whole=True))
        assert apart(server, "repetition") == 2
    assert not [event for _, event in events if event.HasField("delta")]
    pages = finished(events)
    assert [recognition.text for recognition in pages] == ["# Report\nOne.", "Two.", "Three."]
    assert [codes(recognition) for recognition in pages] == [[], ["page_read_apart"], ["page_read_apart"]]


async def test_a_loop_that_was_heard_ends_its_page(model: ModelServer) -> None:
    """What was said is not taken back; the next page is read by itself."""
    replies = iter([answer(FIRST + LOOP, piece=20), answer(THIRD)])
    model.play = lambda _: next(replies)
    async with serving(model) as (_, stub):
        pages = finished(await told(stub, asking(pages_of(3))))
    assert pages[1].finish_reason == ocr_pb2.FINISH_REASON_REPETITION
    assert pages[1].text.startswith("the same line again")
    assert (pages[2].text, codes(pages[2])) == ("Three.", ["page_read_apart"])


async def test_an_answer_that_grows_too_long(model: ModelServer) -> None:
    """The page it breaks off in is read again, if nobody has heard of it."""
    replies = iter([answer(FIRST + SECOND, "length"), answer(SECOND)])
    model.play = lambda _: next(replies)
    async with serving(model) as (server, stub):
        pages = finished(await told(stub, asking(pages_of(2), whole=True)))
        assert apart(server, "length") == 1
    assert [recognition.text for recognition in pages] == ["# Report\nOne.", "Two."]


async def test_a_model_that_fails_leaves_its_pages_to_others(model: ModelServer) -> None:
    """Each by itself, down the same ladder as any page."""
    model.status = 500
    async with serving(model) as (server, stub):
        pages = finished(await told(stub, asking(pages_of(2))))
        assert apart(server, "failed") == 2
    assert [recognition.engine for recognition in pages] == ["tesseract"] * 2
    for recognition in pages:
        assert "150" in recognition.text
        assert codes(recognition) == ["page_read_apart", "engine_fallback"]


async def test_a_model_that_reads_one_page_says_so(model: ModelServer) -> None:
    """No error: the caller gets every page."""
    async with serving(model) as (server, stub):
        pages = finished(await told(stub, asking(pages_of(2), model="tesseract")))
        assert apart(server, "unable") == 2
    assert ["150" in recognition.text for recognition in pages] == [True, True]
    assert [codes(recognition) for recognition in pages] == [["page_read_apart"]] * 2


async def test_many_pages_are_read_in_groups(model: ModelServer) -> None:
    """As large as the engine takes; pages keep their numbers."""
    async with serving(model) as (_, stub):
        request = asking([page(f"Page {number}") for number in range(9)], model="scripted", page_index=5)
        events = await told(stub, request)
    pages = finished(events)
    assert [recognition.page.index for recognition in pages] == list(range(5, 14))
    assert sum(event.HasField("started") for _, event in events) == 3
    assert len({recognition.text for recognition in pages}) == 9
    assert not [recognition for recognition in pages if recognition.warnings]


@pytest.mark.parametrize(
    ("pages", "code", "param"),
    [
        ([], "missing_required_parameter", "pictures"),
        ([page(), b"<html>"], "unsupported_image_media_type", "pictures[1]"),
        ([page(), b""], "empty_image_file", "pictures[1]"),
        ([page()] * 101, "request_too_large", "pictures"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    model: ModelServer, pages: list[bytes], code: str, param: str
) -> None:
    """Before anything is read, with the picture at fault."""
    async with serving(model) as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await told(stub, asking(pages))
    metadata = dict(refused.value.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.metadata["param"]) == (code, param)
    assert not model.asked


async def test_a_damaged_page_does_not_take_the_others_along(model: ModelServer) -> None:
    """It breaks in its decoder: pages are read one by one, up to it, and the caller learns which it was."""
    model.events = answer(THIRD)
    async with serving(model) as (_, stub):
        heard: Told = []
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for said in stub.RecognizePages(asking([page(), page()[:200]])):
                heard.append((said.picture, said.event))
    assert [recognition.text for recognition in finished(heard)] == ["Three."]
    assert "damaged" in (refused.value.details() or "")


async def test_hanging_up_frees_the_place(model: ModelServer) -> None:
    """Nobody reads on, and the next pages are read."""
    async with serving(model) as (server, stub):
        request = asking(pages_of(2), model="scripted", ref_text="slow")
        call = stub.RecognizePages(request)
        async for said in call:
            if said.event.HasField("delta"):
                break
        scripted = next(lane for lane in server.lanes if lane.name == "scripted")
        assert scripted.running == 1
        call.cancel()
        await until(lambda: scripted.running == 0)
        pages = finished(await told(stub, asking(pages_of(2), model="scripted")))
    assert len(pages) == 2
