"""What vLLM and SGLang really write: a page is read whole, or it is an error; a part never passes for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pecia_core.document import Block
from pecia_core.errors import EngineFailed, PeciaError
from pecia_core.recognition import Delta, RecognizeOptions
from pecia_core.vocabulary import FinishReason
from pecia_ocr.engines.base import CancelToken, EngineEvent, Finished
from pecia_ocr.engines.deepseek.recorded import ModelServer, played
from pecia_ocr.engines.deepseek.remote import RemoteEngine

# See the README there for how they were recorded.
TRAFFIC = Path(__file__).parent / "traffic" / "vllm-0.32.0"
PAGE = np.where(np.arange(400) % 7 < 3, 0, 255).astype(np.uint8)[None, :, None].repeat(200, 0).repeat(3, 2)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """Its list of models is vLLM's."""
    with played() as server:
        server.replies["GET"] = recorded("models")
        yield server


@pytest.fixture
def engine(server: ModelServer) -> RemoteEngine:
    """Loaded."""
    engine = RemoteEngine(url=server.url, profile="deepseek-ocr-vllm")
    engine.load(lambda _: None)
    return engine


def recorded(name: str) -> bytes:
    """All bytes of a reply."""
    return (TRAFFIC / f"{name}.http").read_bytes()


def read(engine: RemoteEngine) -> tuple[str, list[EngineEvent]]:
    """The text of a page, and all that was said of it."""
    events = list(engine.read(PAGE, RecognizeOptions(), CancelToken()))
    return "".join(event.text for event in events if isinstance(event, Delta)), events


@pytest.mark.parametrize(
    ("name", "text", "reason", "tokens"),
    [
        ("answer", "741", FinishReason.STOP, 4),
        ("length", "74", FinishReason.LENGTH, 2),
        ("logprobs", "741", FinishReason.STOP, 4),
    ],
)
def test_an_answer_of_vllm(
    server: ModelServer, engine: RemoteEngine, name: str, text: str, reason: FinishReason, tokens: int
) -> None:
    """Its text, why it ended, and what it counted."""
    server.replies["POST"] = recorded(name)
    said, events = read(engine)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.usage is not None
    usage = (finished.usage.prompt_tokens, finished.usage.completion_tokens)
    assert (said, finished.finish_reason, usage) == (text, reason, (84, tokens))


def test_how_sure_it_was(server: ModelServer, engine: RemoteEngine) -> None:
    """From the probabilities of its tokens, where the profile asks for them."""
    server.replies["POST"] = recorded("logprobs")
    blocks = [event for event in read(engine)[1] if isinstance(event, Block)]
    assert len(blocks) == 1
    assert blocks[0].confidence is not None
    assert 0.3 < blocks[0].confidence < 0.99


@pytest.mark.parametrize("name", ["aborted", "engine-died"])
def test_a_page_it_gave_up_is_no_page(server: ModelServer, engine: RemoteEngine, name: str) -> None:
    """Though it says 200: what came is not the whole."""
    server.replies["POST"] = recorded(name)
    assert server.replies["POST"].startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(EngineFailed):
        read(engine)


@pytest.mark.parametrize(("name", "status"), [("too-long", "400"), ("no-such-model", "404")])
def test_what_it_refuses(server: ModelServer, engine: RemoteEngine, name: str, status: str) -> None:
    """Is told in our words, with its status."""
    server.replies["POST"] = recorded(name)
    with pytest.raises(EngineFailed, match=rf"\({status}\)") as caught:
        read(engine)
    assert "max_model_len" not in caught.value.message


def test_an_answer_cut_anywhere_is_whole_or_an_error(server: ModelServer, engine: RemoteEngine) -> None:
    """The connection ends after so many bytes, every thirteenth of them."""
    whole = recorded("answer")
    outcomes = []
    for end in range(0, len(whole), 13):
        server.replies["POST"] = whole[:end]
        try:
            outcomes.append(read(engine)[0])
        except PeciaError:
            outcomes.append("an error")
    assert set(outcomes) <= {"741", "an error"}
    assert outcomes.count("an error") > 0.9 * len(outcomes)


def sglang(text: str | None, reason: str | None) -> str:
    """An event with the fields that SGLang's users quote: nulls, and empty reasons before version 0.4.4."""
    delta = {"role": None, "content": text, "reasoning_content": None, "tool_calls": None}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason, "matched_stop": None}
    said: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**said, 'choices': [choice], 'usage': None})}\n\n"


@pytest.mark.parametrize("between", [None, ""])
def test_an_answer_of_sglang(server: ModelServer, engine: RemoteEngine, between: str | None) -> None:
    """Nothing is no reason, however it is spelt."""
    events = [sglang("In", between), sglang("voice", between), sglang(None, "stop"), "data: [DONE]\n\n"]
    server.events = events
    said, heard = read(engine)
    finished = heard[-1]
    assert isinstance(finished, Finished)
    assert (said, finished.finish_reason) == ("Invoice", FinishReason.STOP)


def test_a_loop_that_vllm_found(server: ModelServer, engine: RemoteEngine) -> None:
    """Is told as one: a smaller size may help."""
    server.events = [sglang("again again", None), sglang("", "repetition"), "data: [DONE]\n\n"]
    finished = read(engine)[1][-1]
    assert isinstance(finished, Finished)
    assert finished.finish_reason is FinishReason.REPETITION


@pytest.mark.parametrize("end", ["abort", "error", "content_filter", "tool_calls", "", None])
def test_a_stream_without_an_end_is_an_error(
    server: ModelServer, engine: RemoteEngine, end: str | None
) -> None:
    """Whatever a server or a proxy calls it: such a stream has no page."""
    server.events = [sglang("half a page", None), sglang("", end), "data: [DONE]\n\n"]
    with pytest.raises(EngineFailed, match="gave up"):
        read(engine)
