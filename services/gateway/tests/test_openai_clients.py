"""Unmodified clients of OpenAI against the gateway."""

import asyncio
import base64
from io import BytesIO
from typing import Any

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pecia_core.errors import from_code
from pecia_core.vocabulary import ModelSize, TaskType
from pecia_dispatch.testing import Script, ScriptedOcr
from PIL import Image


@pytest.fixture
def messages(chat: Any) -> Any:
    """One user turn with a prompt and the picture."""
    return chat()["messages"]


def client_of(gateway: Any, **options: Any) -> openai.AsyncOpenAI:
    """openai-python as anybody would set it up."""
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", **options)


async def test_openai_python_unary(gateway: Any, messages: Any) -> None:
    """Text, usage, request id, and our extension as an attribute."""
    async with client_of(gateway) as client:
        answer = await client.chat.completions.create(
            model="deepseek-ocr",
            messages=messages,
            extra_body={"model_size": "Gundam", "task_type": "free_ocr"},
        )
    assert answer.choices[0].message.content == "hello\nworld"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 2
    assert answer._request_id
    assert answer.ocr["engine"] == "rapid"  # type: ignore[attr-defined]
    options = gateway.ocr.seen[0].options
    assert (options.model_size, options.task_type) == (ModelSize.GUNDAM, TaskType.FREE_OCR)


async def test_openai_python_streams_with_usage(start: Any, messages: Any) -> None:
    """At least two deltas before the end, then usage."""
    script = Script(("one", "two", "three"), pause_s=0.1)
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway, client_of(gateway) as client:
        stream = await client.chat.completions.create(
            model="auto", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [text for text in deltas if text] == ["one", "\ntwo", "\nthree"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


async def test_openai_python_stream_helper(gateway: Any, messages: Any) -> None:
    """The helper that puts the final completion together finds everything it needs."""
    async with (
        client_of(gateway) as client,
        client.chat.completions.stream(model="auto", messages=messages) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "hello\nworld"
    assert final.choices[0].finish_reason == "stop"


async def test_openai_python_skips_keep_alives(start: Any, messages: Any) -> None:
    """Comments between the events do not disturb it."""
    script = Script(("late",), wait_s=0.5)
    service = ScriptedOcr(play=lambda *_: script)
    async with start(service, http={"sse_keep_alive_s": 0.1}) as gateway, client_of(gateway) as client:
        stream = await client.chat.completions.create(model="auto", messages=messages, stream=True)
        texts = [chunk.choices[0].delta.content async for chunk in stream]
    assert "".join(text or "" for text in texts) == "late"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_image", openai.BadRequestError),
        ("model_not_found", openai.NotFoundError),
        ("queue_full", openai.RateLimitError),
        ("gpu_out_of_memory", openai.InternalServerError),
        ("engine_unavailable", openai.InternalServerError),
    ],
)
async def test_openai_python_raises_its_own_errors(
    start: Any, messages: Any, code: str, kind: type[openai.APIStatusError]
) -> None:
    """The right class, with code, message and request id."""
    script = Script((), error=from_code(code, "What to do."))
    async with (
        start(ScriptedOcr(play=lambda *_: script)) as gateway,
        client_of(gateway, max_retries=0) as client,
    ):
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(model="auto", messages=messages)
    assert caught.value.code == code
    assert "What to do." in str(caught.value)
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("code", "calls"), [("gpu_out_of_memory", 1), ("inference_timeout", 1), ("queue_full", 2)]
)
async def test_openai_python_retries_only_what_helps(
    start: Any, messages: Any, code: str, calls: int
) -> None:
    """A page that does not fit in memory is not read three times; a full queue is asked again."""
    posts = 0

    def play(*_: object) -> Script:
        nonlocal posts
        posts += 1
        return Script((), error=from_code(code, "What to do.", retry_after=1))

    async with start(ScriptedOcr(play=play)) as gateway, client_of(gateway, max_retries=1) as client:
        with pytest.raises(openai.APIStatusError):
            await client.chat.completions.create(model="auto", messages=messages)
        metrics = (await gateway.client.get("/metrics")).text
    assert f'code="{code}",engine="",route="/v1/chat/completions",service="gateway"}} {calls}.0' in metrics
    assert posts == calls


async def test_openai_python_raises_errors_inside_a_stream(start: Any, messages: Any) -> None:
    """Text first, then the error with its code."""
    script = Script(("half",), error=from_code("engine_unavailable", "The worker died."))
    texts: list[str] = []
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway, client_of(gateway) as client:
        stream = await client.chat.completions.create(model="auto", messages=messages, stream=True)
        with pytest.raises(openai.APIError) as caught:
            texts.extend([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert caught.value.code == "engine_unavailable"


async def test_openai_python_models_and_completions(gateway: Any, data_url: str) -> None:
    """The smaller surfaces."""
    async with client_of(gateway) as client:
        assert "rapid" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("deepseek-ocr:tiny")).id == "deepseek-ocr:tiny"
        answer = await client.completions.create(
            model="auto", prompt="Free OCR.", extra_body={"image": data_url}
        )
    assert answer.choices[0].text == "hello\nworld"


async def test_langchain_chat_openai(gateway: Any, messages: Any) -> None:
    """LangChain unary and streaming, with its own spelling of the token limit."""
    llm = ChatOpenAI(
        base_url=f"{gateway.url}/v1",
        api_key="any",
        model="auto",
        max_tokens=50,
        extra_body={"model_size": "Base"},
    )
    message = HumanMessage(messages[0]["content"])
    answer = await llm.ainvoke([message])
    assert answer.content == "hello\nworld"
    assert gateway.ocr.seen[0].options.sampling.max_tokens == 50
    assert gateway.ocr.seen[0].options.model_size is ModelSize.BASE
    pieces = [str(chunk.content) async for chunk in llm.astream([message])]
    assert "".join(pieces) == "hello\nworld"


async def test_langchain_sends_a_pdf(gateway: Any) -> None:
    """LangChain's file block arrives as a `file` part; each page of the PDF is read."""
    buffer = BytesIO()
    pages = [Image.new("RGB", (100, 100), "white") for _ in range(2)]
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:])
    block = {
        "type": "file",
        "base64": base64.b64encode(buffer.getvalue()).decode(),
        "mime_type": "application/pdf",
        "filename": "two.pdf",
    }
    llm = ChatOpenAI(base_url=f"{gateway.url}/v1", api_key="any", model="auto")
    answer = await llm.ainvoke([HumanMessage([block])])
    assert answer.content == "hello\nworld\n\n--- page 2 ---\n\nhello\nworld"
    assert sorted(seen.options.page_index for seen in gateway.ocr.seen) == [0, 1]


async def test_openai_python_sync_client(gateway: Any, messages: Any) -> None:
    """The synchronous client, from a thread."""

    def ask() -> str | None:
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any") as client:
            return client.chat.completions.create(model="auto", messages=messages).choices[0].message.content

    assert await asyncio.to_thread(ask) == "hello\nworld"
