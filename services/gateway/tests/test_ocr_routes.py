"""POST /v1/ocr, /v1/ocr/receipt and /v1/parse over real sockets."""

from io import BytesIO
from typing import Any

import pytest
from pecia_core.errors import from_code
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName, EngineState, TaskType
from pecia_dispatch.testing import Script, ScriptedOcr, engine_description
from PIL import Image

PATHS = ["/v1/ocr", "/v1/ocr/receipt", "/v1/parse"]


@pytest.mark.parametrize("path", PATHS)
async def test_one_file_is_the_seeds_object(gateway: Any, png: bytes, path: str) -> None:
    """Existing receipt clients send `file` and read these keys."""
    answer = await gateway.client.post(path, files={"file": ("receipt.png", png, "image/png")})
    assert answer.status_code == 200
    body = answer.json()
    assert [line["text"] for line in body["lines"]] == ["hello", "world"]
    assert len(body["lines"][0]["bbox"]) == 4
    assert body["lines"][0]["confidence"] == pytest.approx(0.9)
    assert body["line_count"] == 2
    assert body["avg_confidence"] == pytest.approx(0.9)
    assert isinstance(body["processing_time_ms"], int)
    assert body["engine"] == "rapid"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-ocr-engine"] == "rapid"
    assert gateway.ocr.seen[0].picture == png
    assert gateway.ocr.seen[0].options.task_type is TaskType.LINES


async def test_several_files_have_outcomes_of_their_own(start: Any, png: bytes) -> None:
    """200 with one result a file, in order; what is wrong with one is said at that one."""

    def play(picture: bytes, _options: RecognizeOptions) -> Script:
        if b"broken" in picture:
            return Script((), error=from_code("invalid_image", "Not a picture."))
        return Script(("fine",))

    files = [
        ("files", ("a.png", png, "image/png")),
        ("files", ("b.png", png + b"broken", "image/png")),
        ("files", ("c.html", b"<html>", "image/png")),
        ("files", ("d.png", b"", "image/png")),
    ]
    async with start(ScriptedOcr(play=play)) as gateway:
        answer = await gateway.client.post("/v1/ocr", files=files)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["filename"] for one in results] == ["a.png", "b.png", "c.html", "d.png"]
    assert [one["ok"] for one in results] == [True, False, False, False]
    assert results[0]["lines"][0]["text"] == "fine"
    codes = [one["error"]["code"] for one in results[1:]]
    assert codes == ["invalid_image", "unsupported_image_media_type", "empty_image_file"]


@pytest.mark.parametrize(
    ("states", "model"),
    [
        ({EngineName.DEEPSEEK: EngineState.READY, EngineName.RAPID: EngineState.READY}, "rapid"),
        ({EngineName.RAPID: EngineState.LOADING, EngineName.TESSERACT: EngineState.READY}, "tesseract"),
        ({EngineName.DEEPSEEK: EngineState.READY}, "auto"),
    ],
)
async def test_lines_come_from_a_cpu_engine_unless_named(
    start: Any, png: bytes, states: dict[EngineName, EngineState], model: str
) -> None:
    """Receipts need boxes and speed: a ready CPU engine is preferred; the form's `model` wins."""
    engines = [engine_description(name, state, (name.value,)) for name, state in states.items()]
    async with start(ScriptedOcr(engines=engines)) as gateway:
        file = {"file": ("a.png", png, "image/png")}
        await gateway.client.post("/v1/ocr", files=file)
        await gateway.client.post("/v1/ocr", files=file, data={"model": "deepseek-ocr", "languages": "id,en"})
    assert [seen.options.model for seen in gateway.ocr.seen] == [model, "deepseek-ocr"]
    assert gateway.ocr.seen[1].options.languages == ("id", "en")


async def test_pages_of_a_pdf_are_one_file(gateway: Any) -> None:
    """Each line says on which page it stands."""
    buffer = BytesIO()
    pages = [Image.new("RGB", (100, 100), "white") for _ in range(2)]
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:])
    answer = await gateway.client.post(
        "/v1/ocr", files={"file": ("a.pdf", buffer.getvalue(), "application/pdf")}
    )
    body = answer.json()
    assert [line["page"] for line in body["lines"]] == [1, 1, 2, 2]
    assert [page["number"] for page in body["pages"]] == [1, 2]
    assert "--- page 2 ---" in body["text"]


async def test_blank_page_is_an_empty_list(start: Any, png: bytes) -> None:
    """No error, and no made-up confidence."""
    async with start(ScriptedOcr(play=lambda *_: Script(()))) as gateway:
        answer = await gateway.client.post("/v1/ocr", files={"file": ("a.png", png, "image/png")})
    assert answer.status_code == 200
    assert (answer.json()["lines"], answer.json()["avg_confidence"]) == ([], None)


async def test_json_body_is_told_to_send_a_form(gateway: Any) -> None:
    """415, and the message names multipart."""
    answer = await gateway.client.post("/v1/ocr", json={"document": {}})
    assert answer.status_code == 415
    assert "multipart/form-data" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("file", "status", "code"),
    [
        (("a.png", b"", "image/png"), 400, "empty_image_file"),
        (("a.png", b"GIF89a", "image/png"), 415, "unsupported_image_media_type"),
        (("a.html", b"<html>", "text/html"), 415, "unsupported_image_media_type"),
        (("a.png", b"\x89PNG\r\n\x1a\n" + bytes(10 << 20), "image/png"), 413, "image_file_too_large"),
        (("a.pdf", b"%PDF-1.7 broken", "application/pdf"), 400, "invalid_pdf"),
    ],
)
async def test_bad_files_are_documented_errors(
    gateway: Any, file: tuple[str, bytes, str], status: int, code: str
) -> None:
    """Each with its status and code, naming the form's field, and no engine was asked."""
    answer = await gateway.client.post("/v1/ocr", files={"file": file})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["param"] == "file"
    assert gateway.ocr.seen == []


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"task_type": "sing"}, "unsupported_value", "task_type"),
        ({"model_size": "huge"}, "unsupported_value", "model_size"),
        ({"task_type": "locate"}, "missing_required_parameter", "ref_text"),
        ({"languages": "../x"}, "unsupported_value", "languages"),
    ],
)
async def test_bad_fields_are_named(
    gateway: Any, png: bytes, fields: dict[str, str], code: str, param: str
) -> None:
    """The form's own fields are checked like those of the JSON surfaces."""
    answer = await gateway.client.post("/v1/ocr", files={"file": ("a.png", png, "image/png")}, data=fields)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)


async def test_a_form_without_a_file_is_refused(gateway: Any) -> None:
    """The message says which field is missing."""
    answer = await gateway.client.post("/v1/ocr", files={"other": ("a.png", b"x", "image/png")})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


async def test_an_engines_refusal_of_the_only_file_is_the_answer(start: Any, png: bytes) -> None:
    """With one file there is no list to put the error in."""
    script = Script((), error=from_code("queue_full", "Try later.", retry_after=4))
    async with start(ScriptedOcr(play=lambda *_: script)) as gateway:
        answer = await gateway.client.post("/v1/ocr", files={"file": ("a.png", png, "image/png")})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "4")
