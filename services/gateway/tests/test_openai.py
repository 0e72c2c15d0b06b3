"""POST /v1/chat/completions and /v1/completions over real sockets."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pecia_core.errors import from_code
from pecia_core.keys import hash_key
from pecia_core.recognition import Notice, RecognizeOptions
from pecia_core.vocabulary import FinishReason, ModelSize, TaskType
from pecia_dispatch.testing import Script, ScriptedOcr

PATH = "/v1/chat/completions"


def error_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal, after a look at its shape."""
    body = answer.json()
    assert set(body) == {"error", "detail"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["detail"] == body["error"]["message"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    return answer.status_code, body["error"]["code"], body["error"]["param"]


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_picture_comes_back_as_text(gateway: Any, chat: Any, png: bytes) -> None:
    """The whole way: data URL in, bytes over gRPC, text and extension out."""
    answer = await gateway.client.post(PATH, json=chat(model="rapid"), headers={"x-request-id": "req-7"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "hello\nworld"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["model"] == "rapid"
    assert body["id"].startswith("chatcmpl-")
    assert body["usage"]["completion_tokens"] == 2
    assert body["ocr"]["engine"] == "rapid"
    assert [line["text"] for line in body["ocr"]["pages"][0]["blocks"][0]["lines"]] == ["hello", "world"]
    (seen,) = gateway.ocr.seen
    assert seen.picture == png
    assert seen.options.model == "rapid"
    assert seen.metadata["x-request-id"] == "req-7"
    assert seen.remaining_s is not None
    assert 200 < seen.remaining_s <= 300


async def test_answer_headers_say_who_read_and_how_long_it_waited(gateway: Any, chat: Any) -> None:
    """Operators see engine and queue without opening the body."""
    headers = (await gateway.client.post(PATH, json=chat())).headers
    assert (headers["x-ocr-engine"], headers["x-ocr-queue-ms"]) == ("rapid", "7")
    assert headers["openai-version"] == "2020-10-01"
    assert int(headers["openai-processing-ms"]) >= 0


async def test_rate_headers_are_on_answers_and_refusals(start: Any, chat: Any) -> None:
    """A caller with a limit sees what is left, also when the request itself was wrong."""
    async with start(ScriptedOcr(), auth={"requests_per_minute": 2}) as gateway:
        good = await gateway.client.post(PATH, json=chat())
        assert good.headers["x-ratelimit-limit-requests"] == "2"
        assert good.headers["x-ratelimit-remaining-requests"] == "1"
        bad = await gateway.client.post(PATH, json=chat(n=1000))
        assert error_of(bad) == (400, "unsupported_parameter", "n")
        assert bad.headers["x-ratelimit-remaining-requests"] == "0"
        over = await gateway.client.post(PATH, json=chat())
        assert error_of(over) == (429, "rate_limit_exceeded", None)
        assert 1 <= int(over.headers["retry-after"]) <= 60
        assert over.headers["x-should-retry"] == "true"
        assert over.headers["x-ratelimit-limit-requests"] == "2"
        assert over.headers["x-ratelimit-remaining-requests"] == "0"
        assert 0 < float(over.headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 60


async def test_a_refusal_for_too_many_at_once_has_them_too(start: Any, chat: Any) -> None:
    """The minute has room left; another answer must end first, within the shortest wait."""
    limits = {"requests_per_minute": 9, "max_in_flight": 1}
    slow = ScriptedOcr(play=lambda *_: Script(("a", "b"), pause_s=1.0))
    async with start(slow, auth=limits) as gateway:
        answers = await asyncio.gather(*(gateway.client.post(PATH, json=chat()) for _ in range(2)))
    over = next(answer for answer in answers if answer.status_code == 429)
    assert over.headers["retry-after"] == "1"
    assert over.headers["x-ratelimit-limit-requests"] == "9"
    assert over.headers["x-ratelimit-remaining-requests"] in {"8", "9"}


async def test_options_reach_the_engine(gateway: Any, chat: Any) -> None:
    """Size, task, words to look for and sampling arrive in the contract's words."""
    fields = {"extra_body": {"model_size": "Tiny", "task_type": "locate", "ref_text": "total"}}
    await gateway.client.post(PATH, json=chat(**fields, max_completion_tokens=9, seed=3))
    options: RecognizeOptions = gateway.ocr.seen[0].options
    assert (options.model_size, options.task_type, options.ref_text) == (
        ModelSize.TINY,
        TaskType.LOCATE,
        "total",
    )
    assert (options.sampling.max_tokens, options.sampling.seed) == (9, 3)


async def test_several_pictures_are_pages_in_order(start: Any, chat: Any, data_url: str) -> None:
    """Pages are read side by side and answered in the order they were sent."""

    def play(_picture: bytes, options: RecognizeOptions) -> Script:
        # The first page takes longest: its answer comes last.
        return Script((f"page {options.page_index}",), wait_s=0.3 - 0.1 * options.page_index)

    async with start(ScriptedOcr(play=play)) as gateway:
        body = (await gateway.client.post(PATH, json=chat(data_url, data_url, data_url))).json()
    content = body["choices"][0]["message"]["content"]
    assert content == "page 0\n\n--- page 2 ---\n\npage 1\n\n--- page 3 ---\n\npage 2"
    assert [page["number"] for page in body["ocr"]["pages"]] == [1, 2, 3]
    assert body["usage"]["completion_tokens"] == 6


async def test_a_failing_page_names_its_field_and_frees_the_others(
    start: Any, chat: Any, data_url: str
) -> None:
    """One bad page of a request refuses it, and the engine stops reading the rest."""

    def play(_picture: bytes, options: RecognizeOptions) -> Script:
        if options.page_index == 1:
            return Script((), wait_s=0.2, error=from_code("invalid_image", "Not a picture.", param="picture"))
        return Script(wait_s=60)

    async with start(ScriptedOcr(play=play)) as gateway:
        answer = await gateway.client.post(PATH, json=chat(data_url, data_url, data_url))
        assert error_of(answer) == (400, "invalid_image", "messages[0].content[2].image_url.url")
        await until(lambda: gateway.ocr.running == 0)
        assert gateway.ocr.cancelled == 2


async def test_too_many_pictures_are_refused(gateway: Any, chat: Any, data_url: str) -> None:
    """More pictures than the limit belong in jobs."""
    answer = await gateway.client.post(PATH, json=chat(*[data_url] * 9))
    assert error_of(answer) == (413, "request_too_large", "messages[0].content[9].image_url.url")


async def test_choices_at_temperature_zero_cost_one_reading(gateway: Any, chat: Any) -> None:
    """One answer is copied; with a temperature the page is read anew for each choice."""
    body = (await gateway.client.post(PATH, json=chat(n=3))).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert len(gateway.ocr.seen) == 1
    assert body["usage"]["completion_tokens"] == 2
    body = (await gateway.client.post(PATH, json=chat(n=3, temperature=0.5))).json()
    assert len(body["choices"]) == 3
    assert len(gateway.ocr.seen) == 4
    assert body["usage"]["completion_tokens"] == 6


async def test_json_object_gives_pages(gateway: Any, chat: Any) -> None:
    """The content is JSON, as clients with response_format expect."""
    body = (await gateway.client.post(PATH, json=chat(response_format={"type": "json_object"}))).json()
    (page,) = json.loads(body["choices"][0]["message"]["content"])["pages"]
    assert page["blocks"][0]["lines"][1]["text"] == "world"


async def test_fallback_truncation_and_warnings_are_told(start: Any, chat: Any) -> None:
    """What is unusual about an answer stands in it."""
    script = Script(
        fallback_from="deepseek-ocr",
        finish_reason=FinishReason.LENGTH,
        warnings=(Notice("engine_fallback", "A CPU engine answered."),),
    )
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway:
        body = (await gateway.client.post(PATH, json=chat(colour=1))).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert (body["ocr"]["fallback_from"], body["ocr"]["truncated"]) == ("deepseek-ocr", True)
    assert [one["code"] for one in body["ocr"]["warnings"]] == ["unknown_parameter", "engine_fallback"]


async def test_blank_page_is_an_empty_answer(start: Any, chat: Any) -> None:
    """Nothing to read is no error."""
    async with start(ScriptedOcr(play=lambda *_: Script(()))) as gateway:
        answer = await gateway.client.post(PATH, json=chat())
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == ""


async def test_a_deadline_of_the_caller_holds(start: Any, chat: Any) -> None:
    """timeout_s gives up early, frees the engine, and is not retried by clients."""
    async with start(ScriptedOcr(play=lambda *_: Script(wait_s=60))) as gateway:
        answer = await gateway.client.post(PATH, json=chat(timeout_s=0.5))
        assert error_of(answer)[:2] == (504, "inference_timeout")
        assert answer.headers["x-should-retry"] == "false"
        await until(lambda: gateway.ocr.running == 0)
        answer = await gateway.client.post(PATH, json=chat(timeout_s=0.001))
        assert error_of(answer)[:2] == (504, "inference_timeout")


async def test_hanging_up_frees_the_engine(start: Any, chat: Any) -> None:
    """A client that goes away during a unary call cancels it in the ocr service."""
    async with start(ScriptedOcr(play=lambda *_: Script(wait_s=60))) as gateway:
        with pytest.raises(httpx.ReadTimeout):
            await gateway.client.post(PATH, json=chat(), timeout=0.5)
        await until(lambda: gateway.ocr.cancelled == 1)
        assert gateway.ocr.running == 0


async def test_callers_never_see_each_others_text(start: Any, chat: Any) -> None:
    """Sixty requests at once, each with a picture of its own, each answered with its own text."""

    def play(picture: bytes, _options: RecognizeOptions) -> Script:
        return Script((picture[8:].decode(),), wait_s=0.01)

    async def one(gateway: Any, number: int) -> None:
        picture = b"\x89PNG\r\n\x1a\n" + f"caller {number}".encode()
        url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        answer: Awaitable[httpx.Response] = gateway.client.post(PATH, json=chat(url))
        assert (await answer).json()["choices"][0]["message"]["content"] == f"caller {number}"

    async with start(ScriptedOcr(play=play)) as gateway:
        await asyncio.gather(*(one(gateway, number) for number in range(60)))


async def test_keys_are_asked_for_where_they_are_on(start: Any, chat: Any, tmp_path: Any) -> None:
    """Without a key nothing is read, with one the tenant goes along to the ocr service."""
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[[keys]]\nid = "k1"\ntenant = "acme"\nsha256 = "{hash_key("secret-key")}"\n')
    async with start(ScriptedOcr(), auth={"keys_file": str(keys)}) as gateway:
        answer = await gateway.client.post(PATH, json=chat())
        assert error_of(answer) == (401, "invalid_api_key", None)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert (await gateway.client.get("/v1/models")).status_code == 401
        assert (await gateway.client.get("/health")).status_code == 200
        headers = {"authorization": "Bearer secret-key"}
        assert (await gateway.client.post(PATH, json=chat(), headers=headers)).status_code == 200
        assert gateway.ocr.seen[0].metadata["x-pecia-tenant"] == "acme"


async def test_text_completion(gateway: Any, data_url: str) -> None:
    """The older surface answers in its own shape."""
    answer = await gateway.client.post("/v1/completions", json={"prompt": "Free OCR.", "image": data_url})
    body = answer.json()
    assert (body["object"], body["choices"][0]["text"]) == ("text_completion", "hello\nworld")
    assert body["id"].startswith("cmpl-")
