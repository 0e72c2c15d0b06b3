"""Requests in OpenAI's words that cannot be honoured."""

from time import perf_counter
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest, NotFound, PeciaError
from pecia_gateway.asks import chat_ask, completion_ask

URL = "data:image/png;base64,AAAA"
PART = {"type": "image_url", "image_url": {"url": URL}}


def refusal(*parts: dict[str, Any], **fields: Any) -> PeciaError:
    """How a chat request with these parts and fields is refused."""
    messages = [{"role": "user", "content": list(parts or (PART,))}]
    with pytest.raises(PeciaError) as caught:
        chat_ask({"messages": messages, **fields})
    return caught.value


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"tools": [{}], "tool_choice": "required"}, "unsupported_parameter", "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "unsupported_parameter", "tool_choice"),
        ({"audio": {"voice": "x"}}, "unsupported_parameter", "audio"),
        ({"modalities": ["text", "audio"]}, "unsupported_parameter", "modalities"),
        ({"web_search_options": {}}, "unsupported_parameter", "web_search_options"),
        ({"logprobs": True}, "unsupported_parameter", "logprobs"),
        ({"n": 1000}, "unsupported_parameter", "n"),
        ({"n": 0}, "invalid_request", "n"),
        ({"model_size": "huge"}, "unsupported_value", "model_size"),
        ({"task_type": "translate"}, "unsupported_value", "task_type"),
        ({"service_tier": "gold"}, "unsupported_value", "service_tier"),
        ({"temperature": 3}, "invalid_request", "temperature"),
        ({"temperature": "0"}, "invalid_request", "temperature"),
        ({"max_tokens": 0}, "invalid_request", "max_tokens"),
        ({"max_tokens": 2**40}, "invalid_request", "max_tokens"),
        ({"stop": ["a"] * 5}, "invalid_request", "stop"),
        ({"image_size": 700}, "unsupported_value", "image_size"),
        ({"mm_processor_kwargs": {"image_size": 1}}, "unsupported_value", "mm_processor_kwargs"),
        ({"languages": ["../../x"]}, "unsupported_value", "languages"),
        ({"response_format": {"type": "json_schema"}}, "unsupported_value", "response_format"),
        ({"response_format": {"type": "xml"}}, "unsupported_value", "response_format.type"),
        ({"extra_body": [1]}, "invalid_request", "extra_body"),
        ({"messages": None}, "missing_required_parameter", "messages"),
        ({"messages": []}, "invalid_request", "messages"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "missing_required_parameter", "messages"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "unsupported_value", "messages[0].role"),
    ],
)
def test_refusals_name_the_field(fields: dict[str, Any], code: str, param: str) -> None:
    """What cannot be honoured is said, with a code for programs and the field at fault."""
    error = refusal(**fields)
    assert isinstance(error, InvalidRequest)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("part", "code", "param"),
    [
        ({"type": "image_url"}, "missing_required_parameter", "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": 5}, "invalid_request", "messages[0].content[0].image_url"),
        (
            {"type": "image_url", "image_url": {}},
            "missing_required_parameter",
            "messages[0].content[0].image_url.url",
        ),
        (
            {"type": "image_url", "image_url": {"url": URL, "detail": "best"}},
            "unsupported_value",
            "messages[0].content[0].image_url.detail",
        ),
        ({"type": "input_audio"}, "unsupported_value", "messages[0].content[0].type"),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            "unsupported_parameter",
            "messages[0].content[0].file.file_id",
        ),
        (
            {"type": "input_image", "file_id": "file-1"},
            "unsupported_parameter",
            "messages[0].content[0].file_id",
        ),
    ],
)
def test_broken_parts_are_named(part: dict[str, Any], code: str, param: str) -> None:
    """The path to the part at fault is in the refusal."""
    error = refusal(part)
    assert (error.code, error.param) == (code, param)


def test_an_unknown_size_of_a_model_is_an_unknown_model() -> None:
    """deepseek-ocr:huge is no model, and the refusal lists the sizes."""
    error = refusal(model="deepseek-ocr:huge")
    assert isinstance(error, NotFound)
    assert error.code == "model_not_found"
    assert "gundam" in error.message


def test_words_to_locate_are_bounded_in_a_prompt_too() -> None:
    """As in the field."""
    error = refusal({"type": "text", "text": f"Locate <|ref|>{'a' * 1001}<|/ref|>"}, PART)
    assert (error.code, error.param) == ("invalid_request", "messages")
    assert "1000 characters" in error.message


@pytest.mark.parametrize("ref_text", [None, "", "  ", "<|ref|><|/ref|>"])
def test_locate_needs_words_to_look_for(ref_text: str | None) -> None:
    """Without words, or with control tokens only, locate is refused."""
    error = refusal(task_type="locate", ref_text=ref_text)
    assert (error.code, error.param) == ("missing_required_parameter", "ref_text")


@pytest.mark.parametrize("piece", ["data:", "data:a/", "data:a/a;", "a+.", "base64,"])
def test_no_prompt_without_a_picture_holds_up_the_others(piece: str) -> None:
    """Megabytes of what looks like the beginning of a data URL are gone through once."""
    began = perf_counter()
    with pytest.raises(PeciaError):
        completion_ask({"prompt": "data:" + piece * 500_000})
    assert perf_counter() - began < 5
