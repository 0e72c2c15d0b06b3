"""DeepSeek-OCR behind the engine's seam, on a checkpoint of half a megabyte whose words are noise."""

import asyncio
import contextlib
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from pathlib import Path
from threading import Thread, Timer
from time import monotonic
from typing import Any

import grpc
import numpy as np
import pytest
from pecia.ocr.v1 import ocr_pb2, ocr_pb2_grpc
from pecia_core.errors import PeciaError
from pecia_core.recognition import Delta, RecognizeOptions, Sampling
from pecia_core.vocabulary import FinishReason, ModelSize, TaskType
from pecia_ocr.engines.base import CancelToken, EngineEvent, Finished, Interrupted, Pixels, tenant
from pecia_ocr.engines.deepseek import rehearsal, testing
from pecia_ocr.engines.deepseek.engine import DeepseekEngine, _fitting
from pecia_ocr.engines.deepseek.tickets import Request
from pecia_ocr.lanes import _deepseek
from pecia_ocr.server import OcrServer
from pecia_ocr.settings import Settings
from pecia_ocr.testing import running
from PIL import Image

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint."""
    return testing.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> DeepseekEngine:
    """Loaded, three slots."""
    engine = DeepseekEngine(folder=str(folder), device="cpu", slots=3, max_tokens=40)
    engine.load(lambda _: None)
    return engine


def page(seed: int = 0) -> Pixels:
    """Noise that is not blank."""
    return rehearsal.noise(256, seed)


def read(
    engine: DeepseekEngine, pixels: Pixels | None = None, token: CancelToken | None = None, **options: Any
) -> list[EngineEvent]:
    """All events of a page."""
    asked = RecognizeOptions(**{"model_size": ModelSize.TINY, **options})
    return list(engine.read(page() if pixels is None else pixels, asked, token or CancelToken()))


def text_of(events: list[EngineEvent]) -> str:
    """What the caller sees."""
    return "".join(event.text for event in events if isinstance(event, Delta))


def end_of(events: list[EngineEvent]) -> Finished:
    """What comes last."""
    assert isinstance(events[-1], Finished)
    return events[-1]


def test_info_is_the_checkpoints(engine: DeepseekEngine, folder: Path) -> None:
    """Tasks and sizes; the revision names the weights."""
    assert set(engine.info.tasks) == set(TaskType)
    assert set(engine.info.sizes) == set(ModelSize)
    assert engine.info.revision.startswith("deepseek-ocr-")
    other = DeepseekEngine(folder=str(folder), device="cpu")
    assert other.info.revision == ""


@pytest.mark.parametrize(
    ("size", "image_tokens"), [(ModelSize.TINY, 73), (ModelSize.SMALL, 111), (ModelSize.BASE, 273)]
)
def test_a_page_is_read_and_counted(engine: DeepseekEngine, size: ModelSize, image_tokens: int) -> None:
    """Usage is what the model was really given and wrote."""
    events = read(engine, model_size=size, sampling=Sampling(max_tokens=12))
    usage = end_of(events).usage
    assert usage is not None
    assert usage.image_tokens == image_tokens
    assert usage.prompt_tokens > image_tokens + 1
    assert 1 <= usage.completion_tokens <= 12


def test_a_page_is_its_tenants(engine: DeepseekEngine) -> None:
    """Tenants take turns at the slots: the scheduler hears whose page it is."""

    def asked() -> Request:
        tenant.set("acme")
        assert engine._ready is not None
        profile = engine._ready.loaded.profile
        return engine._request(profile, [0, 12, 13], (), None, RecognizeOptions())

    assert copy_context().run(asked).tenant == "acme"


def test_length_is_told(engine: DeepseekEngine) -> None:
    """An answer that was cut says so."""
    events = read(engine, sampling=Sampling(max_tokens=3))
    assert end_of(events).finish_reason in (FinishReason.LENGTH, FinishReason.STOP)
    usage = end_of(events).usage
    assert usage is not None
    assert usage.completion_tokens <= 3


def test_the_same_page_is_read_the_same_whoever_shares_the_batch(engine: DeepseekEngine) -> None:
    """Eight threads at three slots: each hears what it hears alone."""
    alone = [text_of(read(engine, page(seed))) for seed in range(4)]
    together: dict[int, str] = {}

    def one(place: int) -> None:
        together[place] = text_of(read(engine, page(place % 4)))

    threads = [Thread(target=one, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[place] for place in range(8)] == [*alone, *alone]
    assert len(set(alone)) > 1


def test_a_seed_gives_the_same_text_again(engine: DeepseekEngine) -> None:
    """And another seed another."""
    texts = [
        text_of(read(engine, sampling=Sampling(temperature=1.5, seed=seed, max_tokens=30)))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_stop_words_end_the_answer(engine: DeepseekEngine) -> None:
    """The word is left out, and what was before it is not lost."""
    whole = text_of(read(engine, sampling=Sampling(max_tokens=30)))
    word = whole[4:6]
    events = read(engine, sampling=Sampling(max_tokens=30, stop=(word,)))
    assert text_of(events) == whole[: whole.index(word)].rstrip("\n")
    assert end_of(events).finish_reason is FinishReason.STOP


def test_text_in_pieces_is_the_same_text(engine: DeepseekEngine, folder: Path) -> None:
    """As many tokens are counted, and a page that is given up does not wait for its next piece."""
    paced = DeepseekEngine(folder=str(folder), device="cpu", slots=3, max_tokens=40, text_every_s=20.0)
    paced.load(lambda _: None)
    token_by_token, pieces = read(engine), read(paced)
    assert text_of(pieces) == text_of(token_by_token)
    assert end_of(pieces) == end_of(token_by_token)
    assert len([event for event in pieces if isinstance(event, Delta)]) <= 3
    token, began = CancelToken(), monotonic()
    Timer(0.01, token.cancel).start()
    with contextlib.suppress(Interrupted):
        read(paced, token=token)
    assert monotonic() - began < 15


def test_a_blank_page_is_not_shown_to_the_model(engine: DeepseekEngine) -> None:
    """It would make words up."""
    assert read(engine, np.full((300, 200, 3), 255, np.uint8)) == [Finished()]


def test_a_cancelled_page_is_interrupted(engine: DeepseekEngine) -> None:
    """Before it began, and in the middle; the slot is free for the next one."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Interrupted):
        read(engine, token=token)
    token = CancelToken()
    events = engine.read(page(), RecognizeOptions(model_size=ModelSize.TINY), token)
    next(events)
    token.cancel()
    with pytest.raises(Interrupted):
        list(events)
    assert text_of(read(engine))


def test_a_size_that_leaves_no_room_is_refused(tmp_path: Path) -> None:
    """Where the checkpoint's context is shorter than the picture."""
    folder = testing.write(tmp_path / "short", testing.Dimensions(context=200))
    engine = DeepseekEngine(folder=str(folder), device="cpu", slots=1, max_tokens=20)
    engine.load(lambda _: None)
    with pytest.raises(PeciaError) as caught:
        read(engine, model_size=ModelSize.BASE)
    assert caught.value.param == "model_size"
    assert text_of(read(engine))


def test_a_missing_library_says_what_to_install() -> None:
    """Not a traceback: the service lists the engine as unavailable with it."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pecia_ocr.engines import catalogue\n"
        "from pecia_core.errors import Unavailable\n"
        "from pecia_core.vocabulary import EngineName\n"
        "try: catalogue.build(EngineName.DEEPSEEK, {'folder': '.'})\n"
        "except Unavailable as error: print(error.message)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" in done.stdout
    assert "pip install 'pecia-ocr[deepseek]'" in done.stdout


def test_slots_are_as_many_as_memory_holds(engine: DeepseekEngine) -> None:
    """An L4's share holds fewer than were asked for; too little for one slot says what to set."""
    assert engine._ready is not None
    loaded = engine._ready.loaded
    assert _fitting(loaded, 32, 1000, gigabytes=20.0) == 32
    few = _fitting(loaded, 32, 10**6, gigabytes=20.0)
    assert 1 <= few < 32
    with pytest.raises(PeciaError, match="PECIA_DEEPSEEK__MEMORY_GB"):
        _fitting(loaded, 32, 1000, gigabytes=2.0)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[OcrServer, Any]]:
    """The service around it, in a worker process as always."""
    groups: dict[str, Any] = {
        "grpc": {"port": 0},
        "engines": {"rapid": False, "tesseract": False},
        "model_path": folder,
        "deepseek": {"device": "cpu", "pages_at_once": 3, "max_tokens": 40},
    }
    async with (
        running(Settings.model_validate(groups)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        yield server, ocr_pb2_grpc.OcrServiceStub(channel)


def request(seed: int, **options: Any) -> dict[str, Any]:
    """The fields of a request."""
    encoded = picture_of(page(seed))
    fields = {"model": "deepseek-ocr:tiny", "model_size": ocr_pb2.MODEL_SIZE_TINY, **options}
    return {"picture": ocr_pb2.Picture(encoded=encoded), "options": ocr_pb2.RecognizeOptions(**fields)}


def picture_of(pixels: Pixels) -> bytes:
    """As a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_settings_reach_the_process(folder: Path) -> None:
    """In the units it is told them in."""
    settings = Settings.model_validate({"model_path": folder, "deepseek": {"text_every_ms": 250}})
    config = _deepseek(settings, folder).config
    assert (config["text_every_s"], config["slots"], config["max_tokens"]) == (0.25, 32, 4096)


async def test_the_whole_way_over_grpc(folder: Path) -> None:
    """Six callers at once through three slots; a stream's deltas are its text; the engine is described."""
    async with serving(folder) as (server, stub):
        replies = await asyncio.gather(
            *(stub.Recognize(ocr_pb2.RecognizeRequest(**request(seed % 3))) for seed in range(6))
        )
        texts = [reply.recognition.text for reply in replies]
        assert texts[:3] == texts[3:]
        assert {reply.recognition.engine for reply in replies} == {"deepseek"}
        events = [event async for event in stub.RecognizeStream(ocr_pb2.RecognizeStreamRequest(**request(1)))]
        assert "".join(event.delta.text for event in events) == events[-1].finished.text == texts[1]
        described = (await stub.Describe(ocr_pb2.DescribeRequest())).engines[0]
        assert (described.name, described.slots) == ("deepseek", 3)
        assert server.lanes[0].free_slots == 3
