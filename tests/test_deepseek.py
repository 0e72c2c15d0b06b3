"""DeepSeek-OCR the whole way, from OpenAI's client to the model: a small checkpoint, and a model server."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pecia_ocr.engines.deepseek import rehearsal, testing
from pecia_ocr.engines.deepseek.recorded import answer, played
from PIL import Image

from tests.conftest import Stack, running_stack

PAGE = (
    "<|ref|>title<|/ref|><|det|>[[0, 0, 999, 99]]<|/det|>\n# Prices\n\n"
    "<|ref|>table<|/ref|><|det|>[[0, 100, 999, 500]]<|/det|>\n"
    "<table><tr><td>Tea</td><td>3</td></tr><tr><td>Cake</td><td>5</td></tr></table>\n"
)


@pytest.fixture(scope="module")
def noise() -> bytes:
    """A PNG the small checkpoint says something about."""
    buffer = io.BytesIO()
    Image.fromarray(rehearsal.noise(320, 7)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with the small checkpoint; the CPU engines are off, so that nothing else can answer."""
    folder = tmp_path_factory.mktemp("deepseek")
    with running_stack(
        folder / "log",
        MODEL_PATH=str(testing.write(folder / "model")),
        PECIA_DEEPSEEK__DEVICE="cpu",
        PECIA_DEEPSEEK__PAGES_AT_ONCE="3",
        PECIA_DEEPSEEK__MAX_TOKENS="40",
        PECIA_ENGINES__RAPID="false",
        PECIA_ENGINES__TESSERACT="false",
    ) as stack:
        yield stack


def client_of(stack: Stack) -> Any:
    """OpenAI's own; Any, since it has no types for what is not OpenAI's."""
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0)


def asking(picture: bytes) -> list[dict[str, object]]:
    """Messages about a picture."""
    url = "data:image/png;base64," + base64.b64encode(picture).decode()
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


@pytest.mark.parametrize(("size", "image_tokens"), [("Tiny", 73), ("small", 111)])
def test_a_chat_is_answered_by_the_model(small: Stack, noise: bytes, size: str, image_tokens: int) -> None:
    """At once and as a stream: the same text, and usage counts the tokens the model was given."""
    client, messages = client_of(small), asking(noise)
    extra = {"model_size": size}
    whole = client.chat.completions.create(model="deepseek-ocr", messages=messages, extra_body=extra)
    assert whole.ocr["engine"] == "deepseek"
    assert whole.usage.prompt_tokens > image_tokens
    assert 1 <= whole.usage.completion_tokens <= 40
    stream = client.chat.completions.create(
        model="deepseek-ocr", messages=messages, extra_body=extra, stream=True
    )
    said = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(said) == whole.choices[0].message.content


def test_tasks_and_forms_reach_the_model(small: Stack, noise: bytes) -> None:
    """Every task is answered; a form gets lines; the model list has every size."""
    client = client_of(small)
    for task in ("free_ocr", "markdown", "parse_figure", "describe", "lines"):
        extra = {"model_size": "tiny", "task_type": task}
        reply = client.chat.completions.create(model="deepseek-ocr", messages=asking(noise), extra_body=extra)
        assert reply.ocr["engine"] == "deepseek"
    form = {"model": "deepseek-ocr:tiny"}
    answered = httpx.post(f"{small.url}/v1/ocr", files={"file": ("a.png", noise)}, data=form, timeout=60)
    assert answered.status_code == 200
    assert isinstance(answered.json()["lines"], list)
    assert "deepseek-ocr:gundam" in {model.id for model in client.models.list()}


def test_a_model_server_answers_the_same_way(tmp_path: Path, noise: bytes) -> None:
    """Blocks with boxes in pixels of the page, tables as HTML in the block, tags nowhere."""
    with played() as model:
        model.events = answer(PAGE)
        settings = {"PECIA_DEEPSEEK__SERVER_URL": model.url, "PECIA_ENGINES__TESSERACT": "false"}
        with running_stack(tmp_path / "log", PECIA_ENGINES__RAPID="false", **settings) as stack:
            reply = client_of(stack).chat.completions.create(
                model="deepseek-ocr", messages=asking(noise), extra_body={"task_type": "markdown"}
            )
    title, table = reply.ocr["pages"][0]["blocks"]
    assert (title["kind"], table["kind"]) == ("title", "table")
    assert title["bbox"] == [0, 0, 320, int(99 / 999 * 320)]
    assert "<td>Cake</td>" in table["content"]
    assert reply.choices[0].message.content.startswith("# Prices")
    assert "<|" not in reply.choices[0].message.content


def test_several_pages_are_read_as_one_document(tmp_path: Path, noise: bytes) -> None:
    """OpenAI's client asks for it, one question reaches the model, and each page has its text and places."""
    said = "<PAGE>\n<|det|>text [0, 0, 999, 499]<|/det|>One\n<PAGE>\n<|det|>text [0, 500, 999, 999]<|/det|>2."
    settings = {"PECIA_ENGINES__TESSERACT": "false", "PECIA_ENGINES__RAPID": "false"}
    with played() as model:
        model.events = answer(said)
        settings["PECIA_DEEPSEEK__SERVER_URL"] = model.url
        settings["PECIA_DEEPSEEK__SERVER_PROFILE"] = "unlimited-ocr-sglang"
        messages = [{"role": "user", "content": [part for _ in "ab" for part in asking(noise)[0]["content"]]}]  # type: ignore[attr-defined]
        with running_stack(tmp_path / "log", **settings) as stack:
            ask = client_of(stack).chat.completions
            fields: dict[str, Any] = {"model": "deepseek-ocr", "messages": messages}
            fields["extra_body"] = {"pages_together": True}
            whole = ask.create(**fields)
            chunks = list(ask.create(**fields, stream=True))
    assert [len(asked["messages"][0]["content"]) for asked in model.asked] == [3, 3]
    assert whole.choices[0].message.content == "One\n\n--- page 2 ---\n\n2."
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(deltas) == whole.choices[0].message.content
    boxes = [page["blocks"][0]["bbox"] for page in whole.ocr["pages"]]
    assert boxes == [[0, 0, 320, int(499 / 999 * 320)], [0, int(500 / 999 * 320), 320, 320]]
    assert not whole.ocr["warnings"]
