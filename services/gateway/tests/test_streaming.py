"""Server-sent events over real sockets."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pecia_core.errors import from_code
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import FinishReason
from pecia_dispatch.testing import Script, ScriptedOcr

PATH = "/v1/chat/completions"


async def lines_of(gateway: Any, body: dict[str, Any], path: str = PATH) -> list[str]:
    """The events of a stream, without the blank lines between them."""
    answer = await gateway.client.post(path, json={**body, "stream": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert events.pop() == ""
    return list(events)


def chunks_of(lines: list[str]) -> list[dict[str, Any]]:
    """The JSON chunks, after a look at how the stream ends."""
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1] if line.startswith("data: ")]


def text_of(chunks: list[dict[str, Any]], index: int = 0) -> str:
    """What a client would put together for one choice."""
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content", "") for choice in choices)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_chunks_come_in_openais_order(gateway: Any, chat: Any) -> None:
    """Role, deltas, an empty delta with the reason, [DONE]; no usage unless asked."""
    chunks = chunks_of(await lines_of(gateway, chat(model="rapid")))
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "hello"},
        {"content": "\nworld"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in chunks)
    assert all(chunk["choices"][0]["logprobs"] is None for chunk in chunks)
    assert chunks[-1]["ocr"]["engine"] == "rapid"


async def test_usage_comes_last_when_asked(gateway: Any, chat: Any) -> None:
    """One more chunk without choices; on all others usage is null."""
    chunks = chunks_of(await lines_of(gateway, chat(stream_options={"include_usage": True})))
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 2
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


async def test_headers_fit_proxies(gateway: Any, chat: Any) -> None:
    """Nobody on the way may keep the text back, and the engine is told before it is finished."""
    headers = (await gateway.client.post(PATH, json=chat(stream=True))).headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-ocr-engine"] == "rapid"
    assert headers["x-request-id"]


async def test_text_arrives_while_the_engine_reads(start: Any, chat: Any) -> None:
    """Line by line, not all at the end: the first delta is here long before the last."""
    script = Script(tuple(f"line {number}" for number in range(6)), pause_s=0.3)
    arrived: list[float] = []
    async with (
        start(ScriptedOcr(play=lambda *_: script)) as gateway,
        gateway.client.stream("POST", PATH, json=chat(stream=True)) as answer,
    ):
        async for line in answer.aiter_lines():
            if '"delta":{"content":"' in line:
                arrived.append(time.monotonic())
    assert len(arrived) == 6
    assert arrived[-1] - arrived[0] > 0.75


async def test_deltas_joined_are_the_unary_answer(start: Any, chat: Any, data_url: str) -> None:
    """Also over several pages, in page order, with the same markers."""

    def play(_picture: bytes, options: RecognizeOptions) -> Script:
        return Script((f"page {options.page_index}", "ünïcode\u2028line"))

    request = chat(data_url, data_url, data_url)
    async with start(ScriptedOcr(play=play)) as gateway:
        chunks = chunks_of(await lines_of(gateway, request))
        unary = (await gateway.client.post(PATH, json=request)).json()
    assert text_of(chunks) == unary["choices"][0]["message"]["content"]
    assert "\n\n--- page 2 ---\n\npage 1" in text_of(chunks)
    assert [page["number"] for page in chunks[-1]["ocr"]["pages"]] == [1, 2, 3]


async def test_json_object_streams_one_document(gateway: Any, chat: Any) -> None:
    """JSON in pieces of lines would be no JSON: it comes whole, and is the unary answer."""
    request = chat(response_format={"type": "json_object"})
    text = text_of(chunks_of(await lines_of(gateway, request)))
    unary = (await gateway.client.post(PATH, json=request)).json()
    assert json.loads(text) == json.loads(unary["choices"][0]["message"]["content"])


@pytest.mark.parametrize(("temperature", "readings"), [(0, 1), (0.7, 2)])
async def test_choices_stream_with_their_index(
    gateway: Any, chat: Any, temperature: float, readings: int
) -> None:
    """Each choice has its role, its text and its end, whether read once or each."""
    chunks = chunks_of(await lines_of(gateway, chat(n=2, temperature=temperature)))
    assert text_of(chunks, 0) == text_of(chunks, 1) == "hello\nworld"
    ends = [one["index"] for chunk in chunks for one in chunk["choices"] if one["finish_reason"]]
    assert sorted(ends) == [0, 1]
    assert len(gateway.ocr.seen) == readings


async def test_silence_is_filled_with_comments(start: Any, chat: Any) -> None:
    """Load balancers cut silent connections: a comment goes out, and the answer still comes."""
    script = Script(("late",), wait_s=0.8, pause_s=0.5)
    async with start(ScriptedOcr(play=lambda *_: script), http={"sse_keep_alive_s": 0.2}) as gateway:
        lines = await lines_of(gateway, chat())
    assert lines.count(": keep-alive") >= 2
    assert text_of(chunks_of(lines)) == "late"


async def test_error_after_the_first_byte_is_told_inside(start: Any, chat: Any) -> None:
    """The status is out already: a data event with the error, then [DONE]."""
    script = Script(("half",), error=from_code("engine_unavailable", "The worker died."))
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway:
        *chunks, last = chunks_of(await lines_of(gateway, chat()))
        metrics = (await gateway.client.get("/metrics")).text
    assert text_of(chunks) == "half"
    assert last == {
        "error": {
            "message": "The worker died.",
            "type": "server_error",
            "param": None,
            "code": "engine_unavailable",
        }
    }
    assert 'code="engine_unavailable",engine="rapid",route="/v1/chat/completions"' in metrics


async def test_error_after_a_silence_is_told_inside(start: Any, chat: Any) -> None:
    """Once a keep-alive went out, it is too late for a status."""
    script = Script((), wait_s=0.5, error=from_code("invalid_image", "Not a picture."))
    async with start(ScriptedOcr(play=lambda *_: script), http={"sse_keep_alive_s": 0.1}) as gateway:
        *_, last = chunks_of(await lines_of(gateway, chat()))
    assert (last["error"]["code"], last["error"]["param"]) == (
        "invalid_image",
        "messages[0].content[1].image_url.url",
    )


async def test_the_last_chunk_has_every_line_with_its_box(start: Any, chat: Any, data_url: str) -> None:
    """A stream tells as much as the unary answer: what OpenAI has no field for comes under `ocr`."""
    async with start(ScriptedOcr()) as gateway:
        body = chat(data_url, data_url)
        *earlier, last = chunks_of(await lines_of(gateway, body))
        unary = (await gateway.client.post(PATH, json=body)).json()
    assert all("ocr" not in chunk for chunk in earlier)
    assert last["ocr"]["pages"] == unary["ocr"]["pages"]
    lines = [line for page in last["ocr"]["pages"] for block in page["blocks"] for line in block["lines"]]
    assert [line["text"] for line in lines] == ["hello", "world"] * 2
    assert all(len(line["polygon"]) == 4 for line in lines)


async def test_repetition_is_stop_for_openai(start: Any, chat: Any) -> None:
    """Strict clients know only stop and length; the rest is in the extension."""
    script = Script(("again",), finish_reason=FinishReason.REPETITION)
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway:
        last = chunks_of(await lines_of(gateway, chat()))[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["ocr"]["finish_reason"] == "repetition"
    assert last["ocr"]["warnings"][0]["code"] == "repetition_truncated"


async def test_blank_page_streams_no_text(start: Any, chat: Any) -> None:
    """Role, end, [DONE]."""
    async with start(ScriptedOcr(play=lambda *_: Script(()))) as gateway:
        chunks = chunks_of(await lines_of(gateway, chat()))
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [{"role": "assistant", "content": ""}, {}]


@pytest.mark.parametrize("read_first", [True, False], ids=["while text comes", "before any text"])
async def test_hanging_up_cancels_the_page(start: Any, chat: Any, read_first: bool) -> None:
    """A closed browser tab frees the engine, whether or not text had begun to come."""
    wait_s, pause_s = (0.0, 0.1) if read_first else (60.0, 0.0)
    script = Script(tuple("many lines of text " * 100), wait_s=wait_s, pause_s=pause_s)
    async with start(ScriptedOcr(play=lambda *_: script), auth={"max_in_flight": 1}) as gateway:
        try:
            async with gateway.client.stream("POST", PATH, json=chat(stream=True), timeout=1) as answer:
                async for _ in answer.aiter_lines():
                    break
        except httpx.ReadTimeout:
            assert not read_first
        await until(lambda: gateway.ocr.cancelled == 1)
        assert gateway.ocr.running == 0
        assert 'code="cancelled"' in (await gateway.client.get("/metrics")).text
        # The caller's only place is free again.
        gateway.ocr.play = lambda *_: Script()
        answer = await gateway.client.post(PATH, json=chat())
        assert answer.status_code == 200


async def test_a_stream_holds_its_place_until_it_ends(start: Any, chat: Any) -> None:
    """The in-flight limit counts streams for as long as they run."""
    script = Script(("a", "b", "c"), pause_s=0.5)
    async with start(ScriptedOcr(play=lambda *_: script), auth={"max_in_flight": 1}) as gateway:
        async with gateway.client.stream("POST", PATH, json=chat(stream=True)) as answer:
            async for line in answer.aiter_lines():
                if '"content":"a"' in line:
                    assert (await gateway.client.post(PATH, json=chat())).status_code == 429
        assert (await gateway.client.post(PATH, json=chat())).status_code == 200


async def test_older_surface_streams_text_completions(gateway: Any, data_url: str) -> None:
    """Chunks have text in place of a delta, and no role."""
    body = {"prompt": "Free OCR.", "image": data_url}
    chunks = chunks_of(await lines_of(gateway, body, "/v1/completions"))
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["hello", "\nworld", ""]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
