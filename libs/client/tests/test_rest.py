"""The REST client against a real HTTP server."""

import base64
import json
from typing import Any

import pytest
from pecia_client.reading import Reading
from pecia_client.rest import RestClient, Retries, chat_body
from pecia_client.testing import Answer, FakeGateway
from pecia_core.errors import DeadlineExceeded, InvalidDocument, NotFound, Overloaded, Unavailable
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import ModelSize, TaskType

PNG = b"\x89PNG\r\n\x1a\n..."
QUICK = Retries(times=2, first_wait_s=0.01)


def _error(code: str, message: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": param, "code": code}, "detail": message}


def test_a_reading_carries_everything_the_gateway_said(gateway: FakeGateway, chat: dict[str, Any]) -> None:
    """Text, document, engine, fallback, warnings, timings, usage and request id arrive typed."""
    gateway.answer = lambda _: Answer.of(chat, x_request_id="req-7")
    with RestClient(gateway.url) as client:
        reading = client.recognize(PNG)
    assert reading.text == "Total 4.50"
    assert [line.text for line in reading.document.pages[0].lines()] == ["Total 4.50"]
    assert reading.document.pages[0].blocks[0].polygon.bbox.x1 == 90
    assert (reading.engine, reading.fallback_from, reading.attempts) == ("rapid", "deepseek-ocr", 2)
    assert reading.warnings[0].code == "fallback"
    assert reading.timings.engine_ms == 120.5
    assert reading.usage.completion_tokens == 2
    assert reading.request_id == "req-7"


def test_options_and_key_are_sent_as_the_gateway_reads_them(
    gateway: FakeGateway, chat: dict[str, Any]
) -> None:
    """Each option stands at the top level, the key as a bearer token, the picture as a data URL."""
    gateway.answer = lambda _: Answer.of(chat)
    options = RecognizeOptions("rapid", TaskType.LOCATE, ModelSize.TINY, "Total", ("ind", "eng"))
    with RestClient(gateway.url + "/v1/", api_key="k-1") as client:
        client.recognize(PNG, options)
    (asked,) = gateway.asked
    said = asked.json()
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.headers["authorization"] == "Bearer k-1"
    url = said.pop("messages")[0]["content"][0]["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert said == {
        "model": "rapid",
        "task_type": "locate",
        "model_size": "tiny",
        "ref_text": "Total",
        "languages": ["ind", "eng"],
    }


def test_a_pdf_travels_as_a_file_part_without_its_name() -> None:
    """PDFs use the part LangChain uses; the name on disk is not told."""
    (part,) = chat_body(b"%PDF-1.7 ...")["messages"][0]["content"]
    assert part["type"] == "file"
    assert part["file"]["file_data"].startswith("data:application/pdf;base64,")
    assert part["file"]["filename"] == "document.pdf"


def test_a_stream_gives_deltas_then_the_whole_reading(gateway: FakeGateway, chat: dict[str, Any]) -> None:
    """Comments and empty deltas are skipped; the last thing is a reading whose text is all deltas."""
    chunks = [
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": "Total"}}]},
        {"choices": [{"delta": {"content": " 4.50"}}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}], "ocr": chat["ocr"]},
        {"choices": [], "usage": chat["usage"]},
    ]
    lines = "".join(f": keep-alive\n\ndata: {json.dumps(chunk)}\n\n" for chunk in chunks)
    gateway.answer = lambda _: Answer(200, (lines + "data: [DONE]\n\n").encode(), {"x-request-id": "r"})
    with RestClient(gateway.url) as client:
        *deltas, reading = client.stream(PNG)
    assert deltas == ["Total", " 4.50"]
    assert isinstance(reading, Reading)
    assert reading.text == "Total 4.50"
    assert reading.engine == "rapid"
    assert reading.usage.completion_tokens == 2
    assert reading.request_id == "r"
    assert gateway.asked[0].json()["stream_options"] == {"include_usage": True}


def test_an_error_inside_a_stream_is_raised_with_its_code(gateway: FakeGateway) -> None:
    """What was read before stays with the caller; then the error comes, code and request id in it."""
    said = json.dumps(_error("inference_timeout", "The page took too long."))
    body = f'data: {{"choices":[{{"delta":{{"content":"To"}}}}]}}\n\ndata: {said}\n\ndata: [DONE]\n\n'
    gateway.answer = lambda _: Answer(200, body.encode(), {"x-request-id": "r-9"})
    with RestClient(gateway.url) as client:
        stream = client.stream(PNG)
        assert next(stream) == "To"
        with pytest.raises(DeadlineExceeded, match="took too long") as caught:
            next(stream)
    assert (caught.value.code, caught.value.request_id) == ("inference_timeout", "r-9")


def test_an_error_keeps_message_code_param_and_request_id(gateway: FakeGateway) -> None:
    """A refusal is the same error the service raised, with the id its logs know."""
    body = _error("invalid_image", "This is not a picture.", "messages.0.content.0")
    gateway.answer = lambda _: Answer.of(body, 400, x_request_id="req-1")
    with RestClient(gateway.url) as client, pytest.raises(InvalidDocument) as caught:
        client.recognize(PNG)
    error = caught.value
    assert (error.message, error.code, error.param) == (
        "This is not a picture.",
        "invalid_image",
        "messages.0.content.0",
    )
    assert error.request_id == "req-1"
    assert len(gateway.asked) == 1


def test_a_refusal_before_a_stream_is_an_error_too(gateway: FakeGateway) -> None:
    """A 404 on a streaming call raises NotFound, not a parse error."""
    gateway.answer = lambda _: Answer.of(_error("model_not_found", "No such model."), 404)
    with RestClient(gateway.url) as client, pytest.raises(NotFound, match="No such model"):
        list(client.stream(PNG))


def test_a_full_queue_is_tried_again(gateway: FakeGateway, chat: dict[str, Any]) -> None:
    """429 with Retry-After: the client waits and tries again, and the caller never sees it."""
    answers = [Answer.of(_error("queue_full", "Full."), 429, retry_after="0"), Answer.of(chat)]
    gateway.answer = lambda _: answers.pop(0)
    with RestClient(gateway.url, retries=QUICK) as client:
        assert client.recognize(PNG).text == "Total 4.50"
    assert len(gateway.asked) == 2


def test_retries_end(gateway: FakeGateway) -> None:
    """A queue that stays full is reported after the last try, with its wait."""
    gateway.answer = lambda _: Answer.of(_error("queue_full", "Full."), 429, retry_after="0")
    with RestClient(gateway.url, retries=QUICK) as client, pytest.raises(Overloaded) as caught:
        client.recognize(PNG)
    assert caught.value.retry_after == 0
    assert len(gateway.asked) == 3


@pytest.mark.parametrize(("status", "hint", "calls"), [(503, "false", 1), (504, "true", 3), (504, None, 1)])
def test_the_gateways_hint_decides_about_retries(
    gateway: FakeGateway, status: int, hint: str | None, calls: int
) -> None:
    """x-should-retry wins over what the status suggests."""
    headers = {"x_should_retry": hint} if hint else {}
    gateway.answer = lambda _: Answer.of(_error("server_error", "No."), status, **headers)
    with RestClient(gateway.url, retries=QUICK) as client, pytest.raises(Exception, match="No"):
        client.recognize(PNG)
    assert len(gateway.asked) == calls


def test_a_proxy_page_is_an_error_a_person_understands(gateway: FakeGateway) -> None:
    """An HTML 502 of somebody else's proxy becomes Unavailable, with its status in the message."""
    gateway.answer = lambda _: Answer(502, b"<html>bad gateway</html>")
    with RestClient(gateway.url, retries=QUICK) as client, pytest.raises(Unavailable, match="HTTP 502"):
        client.models()


def test_nobody_listening_says_so() -> None:
    """A refused connection names the address."""
    with RestClient("http://127.0.0.1:9") as client:
        assert client.ready() is False
        with pytest.raises(Unavailable, match=r"Nothing answers at http://127\.0\.0\.1:9"):
            client.models()


def test_lines_are_typed(gateway: FakeGateway) -> None:
    """/v1/ocr gives lines with polygons; the picture goes as a multipart file without its name."""
    body = {
        "lines": [{"text": "Kopi", "confidence": 0.9, "bbox": [[0, 0], [9, 0], [9, 5], [0, 5]]}],
        "line_count": 1,
        "avg_confidence": 0.9,
        "processing_time_ms": 12.5,
        "engine": "rapid",
    }
    gateway.answer = lambda _: Answer.of(body, x_request_id="r")
    with RestClient(gateway.url) as client:
        lines = client.lines(PNG, RecognizeOptions("tesseract", languages=("ind", "eng")))
    assert lines.text == "Kopi"
    assert lines.lines[0].polygon.bbox.width == 9
    assert (lines.avg_confidence, lines.processing_time_ms, lines.engine) == (0.9, 12.5, "rapid")
    sent = gateway.asked[0]
    assert sent.path == "/v1/ocr"
    assert b'name="file"; filename="picture.png"' in sent.body
    assert b'name="model"\r\n\r\ntesseract' in sent.body
    assert b'name="languages"\r\n\r\nind,eng' in sent.body


def test_models_are_listed(gateway: FakeGateway) -> None:
    """The list of /v1/models as typed cards."""
    card = {"id": "rapid", "object": "model", "created": 7, "owned_by": "pecia"}
    gateway.answer = lambda _: Answer.of({"object": "list", "data": [card]})
    with RestClient(gateway.url) as client:
        (model,) = client.models()
    assert (model.id, model.owned_by, model.created) == ("rapid", "pecia", 7)


def test_a_kept_result_says_so_and_can_be_refused(gateway: FakeGateway, chat: dict[str, Any]) -> None:
    """`cached` arrives; a client without cache says so on every call."""
    chat["ocr"]["cached"] = True
    gateway.answer = lambda _: Answer.of(chat)
    with RestClient(gateway.url) as client:
        assert client.recognize(PNG).cached
    with RestClient(gateway.url, api_key="k-1", cache=False) as client:
        client.recognize(PNG)
    assert [asked.headers.get("cache-control") for asked in gateway.asked] == [None, "no-cache"]
    assert gateway.asked[1].headers["authorization"] == "Bearer k-1"
