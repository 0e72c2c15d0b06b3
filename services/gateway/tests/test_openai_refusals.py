"""Refusals of POST /v1/chat/completions over real sockets."""

import base64
from typing import Any

import httpx
import pytest
from pecia_core.errors import from_code
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


@pytest.mark.parametrize(
    ("code", "status", "headers"),
    [
        ("queue_full", 429, {"retry-after": "3", "x-should-retry": "true"}),
        ("model_loading", 503, {"retry-after": "5", "x-should-retry": "true"}),
        ("engine_unavailable", 503, {"retry-after": "3", "x-should-retry": "true"}),
        ("gpu_out_of_memory", 507, {"x-should-retry": "false"}),
        ("inference_timeout", 504, {"x-should-retry": "false"}),
        ("server_error", 500, {"x-should-retry": "false"}),
        ("model_not_found", 404, {}),
        ("image_too_large", 413, {}),
        ("unsupported_image_media_type", 415, {}),
        ("unsupported_value", 400, {}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors_of_the_service_become_openai_errors(
    start: Any, chat: Any, code: str, status: int, headers: dict[str, str], stream: bool
) -> None:
    """Before the first byte a stream is refused like any request: same status, JSON, same headers."""
    retry_after = 3.0 if headers.get("retry-after") else None
    script = Script((), error=from_code(code, "What to do.", retry_after=retry_after))
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway:
        answer = await gateway.client.post(PATH, json=chat(stream=stream))
    assert error_of(answer)[:2] == (status, code)
    assert answer.json()["error"]["message"] == "What to do."
    told = {
        name: answer.headers[name] for name in ("retry-after", "x-should-retry") if name in answer.headers
    }
    assert told == headers


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "application/json", (400, "invalid_request", None)),
        (b"{", "application/json", (400, "invalid_request", None)),
        (b"[]", "application/json", (400, "invalid_request", None)),
        (b"\xff", "application/json", (400, "invalid_request", None)),
        (b'{"a": NaN}', "application/json", (400, "invalid_request", None)),
        (b'{"model": "\\ud800"}', "application/json", (400, "invalid_request", None)),
        (b"[" * 40_000, "application/json", (400, "invalid_request", None)),
        (b"[" * 100_000, "application/json", (413, "request_too_large", None)),
        (b"{}", "application/json", (400, "missing_required_parameter", "messages")),
        (b"{}", "application/x-www-form-urlencoded", (400, "missing_required_parameter", "messages")),
        (b"<x/>", "text/xml", (415, "unsupported_media_type", None)),
    ],
)
async def test_broken_bodies_are_documented_errors(
    gateway: Any, body: bytes, content_type: str, expected: tuple[int, str, str | None]
) -> None:
    """Nothing a client can send as a body is a 422 or a 500."""
    answer = await gateway.client.post(PATH, content=body, headers={"content-type": content_type})
    assert error_of(answer) == expected


def as_url(data: bytes, media_type: str = "image/png") -> str:
    """A data URL of anything."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("data:image/png;base64,@@@@", 400, "invalid_base64_image"),
        (as_url(b""), 400, "empty_image_file"),
        (as_url(b"<!doctype html><p>hello"), 415, "unsupported_image_media_type"),
        ("https://127.0.0.1/a.png", 400, "invalid_image_url"),
        ("https://169.254.169.254/latest/meta-data", 400, "invalid_image_url"),
        ("http://example.org/a.png", 400, "invalid_image_url"),
        ("file:///etc/passwd", 400, "invalid_image_url"),
        ("", 400, "invalid_image_url"),
    ],
)
async def test_bad_pictures_name_their_field(
    gateway: Any, chat: Any, url: str, status: int, code: str
) -> None:
    """The refusal says which picture of which message it is about, and no engine was asked."""
    answer = await gateway.client.post(PATH, json=chat(url))
    assert error_of(answer) == (status, code, "messages[0].content[1].image_url.url")
    assert gateway.ocr.seen == []
