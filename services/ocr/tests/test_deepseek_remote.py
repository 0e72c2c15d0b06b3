"""DeepSeek-OCR on another server: what it is sent, what becomes of its answers, and of its failures."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer
from typing import Any

import numpy as np
import pytest
from pecia_core.document import Block
from pecia_core.errors import PeciaError
from pecia_core.recognition import Delta, RecognizeOptions, Sampling
from pecia_core.vocabulary import BlockKind, FinishReason, ModelSize, TaskType
from pecia_ocr.engines.base import CancelToken, EngineEvent, Finished, Interrupted
from pecia_ocr.engines.deepseek import served
from pecia_ocr.engines.deepseek.recorded import MODEL, ModelServer, answer, chunk, played
from pecia_ocr.engines.deepseek.remote import RemoteEngine
from PIL import Image, ImageDraw

MARKDOWN = (
    "<|ref|>title<|/ref|><|det|>[[100, 50, 900, 120]]<|/det|>\n# Invoice\n\n"
    "<|ref|>text<|/ref|><|det|>[[100, 200, 900, 300]]<|/det|>\nPlease pay."
)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """On a free port of this machine."""
    with played() as server:
        yield server


@pytest.fixture
def engine(server: ModelServer) -> RemoteEngine:
    """Loaded."""
    return loaded(server)


def loaded(server: ModelServer, **config: Any) -> RemoteEngine:
    """An engine that has found its server."""
    engine = RemoteEngine(**{"url": server.url, "profile": "deepseek-ocr-vllm", **config})
    engine.load(lambda _: None)
    return engine


def page() -> Any:
    """A picture that is not blank, wider than high."""
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).text((20, 60), "Invoice 123, please pay", fill="black", font_size=30)
    return np.asarray(picture)


def read(engine: RemoteEngine, **options: Any) -> list[EngineEvent]:
    """All events of a page."""
    return list(engine.read(page(), RecognizeOptions(**options), CancelToken()))


def text_of(events: list[EngineEvent]) -> str:
    """What the caller sees."""
    return "".join(event.text for event in events if isinstance(event, Delta))


def test_an_answer_becomes_text_and_blocks(server: ModelServer, engine: RemoteEngine) -> None:
    """Deltas hold no tags, boxes are pixels of the page, and usage is the server's."""
    server.events = answer(MARKDOWN)
    events = read(engine, task_type=TaskType.MARKDOWN)
    assert text_of(events) == "# Invoice\n\nPlease pay."
    blocks = [event for event in events if isinstance(event, Block)]
    assert [block.kind for block in blocks] == [BlockKind.TITLE, BlockKind.PARAGRAPH]
    assert blocks[0].polygon.bbox.x1 == int(900 / 999 * 400)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.finish_reason is FinishReason.STOP
    assert finished.usage is not None
    assert (finished.usage.prompt_tokens, finished.usage.completion_tokens) == (913, 40)


def test_the_server_is_sent_the_picture_and_the_prompt(server: ModelServer, engine: RemoteEngine) -> None:
    """In OpenAI's words, with vLLM's own fields beside them."""
    sampling = Sampling(max_tokens=100, seed=5)
    read(engine, task_type=TaskType.LOCATE, ref_text="Total <|ref|>", sampling=sampling)
    (asked,) = server.asked
    image, text = asked["messages"][0]["content"]
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (400, 200)
    assert text["text"] == "Locate <|ref|>Total<|/ref|> in the image."
    assert (asked["model"], asked["temperature"], asked["max_tokens"], asked["seed"]) == (MODEL, 0.0, 100, 5)
    assert asked["skip_special_tokens"] is False
    assert asked["vllm_xargs"]["whitelist_token_ids"] == [128821, 128822]


def test_the_bound_of_the_model_is_the_most(server: ModelServer, engine: RemoteEngine) -> None:
    """A caller cannot ask for more than the server takes."""
    read(engine, sampling=Sampling(max_tokens=10**6))
    assert server.asked[0]["max_tokens"] == 6000


def test_an_answer_cut_short_says_so(server: ModelServer, engine: RemoteEngine) -> None:
    """`length` is told, not hidden."""
    server.events = answer("hello", "length")
    finished = read(engine)[-1]
    assert isinstance(finished, Finished)
    assert finished.finish_reason is FinishReason.LENGTH


def test_a_loop_is_stopped(server: ModelServer, engine: RemoteEngine) -> None:
    """The server would go on for thousands of tokens; it is hung up on."""
    server.events = answer("The same line again.\n" * 5000, piece=21)
    events = read(engine)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.finish_reason is FinishReason.REPETITION
    assert len(text_of(events)) < 21 * 1000


def test_a_blank_page_is_not_sent(server: ModelServer, engine: RemoteEngine) -> None:
    """Models make words up for it."""
    events = list(engine.read(np.full((300, 200, 3), 255, np.uint8), RecognizeOptions(), CancelToken()))
    assert events == [Finished()]
    assert not server.asked


def test_a_size_the_server_does_not_know_is_refused(server: ModelServer, engine: RemoteEngine) -> None:
    """Stock vLLM has Gundam only."""
    with pytest.raises(PeciaError, match="gundam") as caught:
        read(engine, model_size=ModelSize.TINY)
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "model_size")
    assert not server.asked
    assert text_of(read(engine, model_size=ModelSize.GUNDAM)) == "hello"


def test_a_cancelled_page_is_hung_up_on(server: ModelServer, engine: RemoteEngine) -> None:
    """Although the server says nothing new, so that it stops computing."""
    server.hold = Event()
    server.events = answer("hello there", piece=5)
    token = CancelToken()
    Timer(0.3, token.cancel).start()
    with pytest.raises(Interrupted):
        list(engine.read(page(), RecognizeOptions(), token))
    assert server.hung_up.wait(5)


@pytest.mark.parametrize(
    ("status", "headers", "code", "retry_after"),
    [
        (429, {"retry-after": "7"}, "queue_full", 7.0),
        (429, {}, "queue_full", 1.0),
        (503, {}, "engine_unavailable", 5.0),
        (500, {}, "engine_unavailable", 5.0),
        (507, {}, "gpu_out_of_memory", None),
        (400, {}, "server_error", None),
        (404, {}, "server_error", None),
    ],
)
def test_a_refusal_has_our_words(
    server: ModelServer,
    engine: RemoteEngine,
    status: int,
    headers: dict[str, str],
    code: str,
    retry_after: float,
) -> None:
    """With a code and when to come back; what the server said stays in the log."""
    server.status, server.headers = status, headers
    with pytest.raises(PeciaError) as caught:
        read(engine)
    assert (caught.value.code, caught.value.retry_after) == (code, retry_after)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "events",
    [["data: {half\n\n"], ["data: []\n\n"], ['data: {"error": {"message": "boom"}}\n\n'], ["data: 7\n\n"]],
)
def test_nonsense_is_an_error(server: ModelServer, engine: RemoteEngine, events: list[str]) -> None:
    """Nothing of it reaches the caller, and the next page is read."""
    server.events = [chunk("half a "), *events]
    with pytest.raises(PeciaError):
        read(engine)
    server.events = answer("whole")
    assert text_of(read(engine)) == "whole"


def test_a_silent_server_is_given_up(server: ModelServer) -> None:
    """After the time the setting names, with a hint to come back."""
    engine = loaded(server, silence_s=0.5)
    server.mute = Event()
    with pytest.raises(PeciaError, match="too long") as caught:
        read(engine)
    assert (caught.value.code, caught.value.retry_after) == ("engine_unavailable", 5.0)
    server.mute.set()


def test_a_server_that_is_gone_is_unavailable(server: ModelServer, engine: RemoteEngine) -> None:
    """Nobody listens any more."""
    gone = loaded(server)
    gone._client = engine._client.with_options(base_url="http://127.0.0.1:9/v1") if engine._client else None
    with pytest.raises(PeciaError) as caught:
        read(gone)
    assert (caught.value.code, caught.value.retry_after) == ("engine_unavailable", 5.0)


def test_a_server_without_the_model_is_refused(server: ModelServer) -> None:
    """The message lists what it has; with several, one has to be named."""
    with pytest.raises(PeciaError, match=MODEL):
        loaded(server, model="another")
    server.models.append("second")
    with pytest.raises(PeciaError, match="which one"):
        loaded(server)
    assert loaded(server, model="second").info.revision == "second@deepseek-ocr-vllm"


def test_the_key_is_sent(server: ModelServer) -> None:
    """Without the right one, loading says what to look at."""
    server.key = "k"
    with pytest.raises(PeciaError, match="key"):
        loaded(server)
    loaded(server, api_key="k")


def test_another_model_is_a_file(server: ModelServer, tmp_path: Path) -> None:
    """Prompts, bounds and fields of one's own; tasks without a prompt are not offered."""
    file = tmp_path / "mine.toml"
    file.write_text('max_tokens = 9\n[prompts]\nfree_ocr = "Text, please."\n[request]\nchat = {a = 1}\n')
    engine = loaded(server, profile=str(file))
    assert engine.info.tasks == (TaskType.FREE_OCR,)
    read(engine)
    (asked,) = server.asked
    assert asked["messages"][0]["content"][1]["text"] == "Text, please."
    assert (asked["max_tokens"], asked["chat"]) == (9, {"a": 1})


@pytest.mark.parametrize("name", served.names())
def test_every_profile_that_comes_along_can_be_read(name: str) -> None:
    """And has a prompt for free text."""
    assert served.find(name).prompt(TaskType.FREE_OCR)


@pytest.mark.parametrize(
    "text", ["family = 'no such'", "max_tokens = 5", "unknown = 1\nfamily = 'deepseek-ocr'", "= broken"]
)
def test_a_broken_profile_is_refused(tmp_path: Path, text: str) -> None:
    """At start, naming the file."""
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(PeciaError, match="broken"):
        served.find(str(file))
    with pytest.raises(PeciaError, match="deepseek-ocr-vllm"):
        served.find("nowhere")
