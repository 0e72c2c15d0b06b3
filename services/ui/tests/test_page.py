"""The page itself, run by Streamlit's own test runner against a real HTTP server: U1 to U15."""

import base64
import socket

import pytest
from pecia_ui.testing.gateway import DONE, REQUEST_ID, Answer, StandIn, delta, event, page, reading
from pecia_ui.testing.visitor import legend, opened, picture, recognised, said, submit, upload
from streamlit.testing.v1 import AppTest

LINES = ["Kopi susu", "Roti bakar", "Teh manis"]


def test_a_newcomer_sees_what_it_is_and_how_to_use_it(site: AppTest) -> None:
    """U14: a description, instructions, and what to do first; nothing to submit yet."""
    assert site.title[0].value == "pecia"
    assert "Turns a picture of a page into text" in said(site)
    assert "Upload a picture of a page" in said(site)
    assert "Choose a picture on the left" in site.info[0].value
    assert site.button(key="submit").disabled


def test_pictures_can_be_uploaded(site: AppTest) -> None:
    """U1: PNG, JPG and JPEG, and the other kinds the gateway reads; then it can be submitted (U5)."""
    assert {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tiff"} <= set(site.file_uploader[0].allowed_type)
    upload(site)
    assert not site.button(key="submit").disabled
    assert len(site.image) == 2  # the sign of pecia, and the picture


def test_five_sizes_and_four_tasks_can_be_chosen(site: AppTest) -> None:
    """U2 and U3, with the defaults the documents name."""
    assert site.selectbox(key="size").options == ["Tiny", "Small", "Base", "Large", "Gundam"]
    assert site.selectbox(key="size").value == "Gundam"
    assert site.selectbox(key="task").options == [
        "Free OCR",
        "Convert to Markdown",
        "Parse Figure",
        "Locate Object",
    ]
    assert site.selectbox(key="task").value == "Free OCR"


def test_only_locate_asks_what_to_locate(site: AppTest) -> None:
    """U4: the field comes and goes with the task."""
    fields = [[field.key for field in site.text_input]]
    for task in ("Locate Object", "Parse Figure"):
        site.selectbox(key="task").select(task).run()
        fields.append([field.key for field in site.text_input])
    assert ["ref_text" in shown for shown in fields] == [False, True, False]


def test_locate_without_words_is_not_sent(gateway: StandIn, site: AppTest) -> None:
    """The page says what is missing."""
    site.selectbox(key="task").select("Locate Object").run()
    submit(upload(site))
    assert "Say what to locate" in site.warning[0].value
    assert gateway.readings == []


def test_a_picture_is_read(gateway: StandIn, site: AppTest) -> None:
    """U5, U6, U7, U9: the text in an area to copy from, the picture with boxes, "Processing complete!"."""
    gateway.answer = lambda _asked: reading(page(LINES))
    submit(upload(site))
    assert site.success[0].value.startswith("Processing complete! 3 lines")
    assert "by rapid" in site.success[0].value
    assert recognised(site) == "\n".join(LINES)
    assert "2 read with confidence" in legend(site)
    assert "1 to check (below 80 %)" in legend(site)
    assert len(site.image) == 2


def test_all_that_was_chosen_is_sent(gateway: StandIn, site: AppTest) -> None:
    """U15: to /v1/chat/completions at API_BASE, the picture as base64, the options at top level."""
    site.selectbox(key="task").select("Locate Object").run()
    site.selectbox(key="size").select("Tiny")
    site.selectbox(key="model").select("rapid")
    site.text_input(key="ref_text").input("Total")
    site.text_input(key="api_key").input("pk-1234")
    submit(upload(site))
    asked = gateway.readings[-1]
    body = asked.json()
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")) == picture()
    assert {name: body[name] for name in ("model", "model_size", "task_type", "ref_text")} == {
        "model": "rapid",
        "model_size": "Tiny",
        "task_type": "locate",
        "ref_text": "Total",
    }
    assert asked.headers["authorization"] == "Bearer pk-1234"


def test_a_blank_page_is_no_failure(gateway: StandIn, site: AppTest) -> None:
    """It says that there is no text."""
    gateway.answer = lambda _asked: reading(page([]))
    submit(upload(site))
    assert "No text was found on this page." in [info.value for info in site.info]
    assert site.success[0].value.startswith("Processing complete!")
    assert not site.error


def test_nothing_listening_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """U10: ConnectionError; the page opens all the same."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("API_BASE", f"http://127.0.0.1:{taken.getsockname()[1]}")
        site = submit(upload(opened()))
    assert "Cannot connect to API server. Please check if the service is running." in said(site)
    assert site.selectbox(key="model").options == ["auto"]
    assert "Cannot connect to API server" in said(site)


def test_a_timeout_is_said(gateway: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """U10: Timeout; what had been read by then is shown."""
    monkeypatch.setenv("API_BASE", gateway.url)
    monkeypatch.setenv("PECIA_API__TIMEOUT_S", "1")
    gateway.answer = lambda _asked: Answer.stream(delta("Kopi"), *[b": keep-alive\n\n"] * 100, pause_s=0.1)
    site = submit(upload(opened()))
    assert "Request timed out. The image may be too large or complex." in said(site)
    assert site.code[0].value == "Kopi"


def test_a_refusal_is_told_in_the_gateways_words(gateway: StandIn, site: AppTest) -> None:
    """U10: message, what to do, how long to wait, status, code and request id."""
    gateway.answer = lambda _asked: Answer.refusal(
        429, "queue_full", "All engines are busy with other pages.", retry_after="7"
    )
    submit(upload(site))
    told = said(site)
    for part in ("The gateway is busy", "All engines are busy", "wait 7 s", "429", "queue_full", REQUEST_ID):
        assert part in told
    assert not site.success


def test_a_failure_in_the_middle_keeps_what_had_come(gateway: StandIn, site: AppTest) -> None:
    """Half a page is shown as half a page."""
    broken = {"error": {"message": "The engine broke.", "code": "server_error"}}
    gateway.answer = lambda _asked: Answer.stream(delta("Kopi susu"), event(broken), DONE)
    submit(upload(site))
    assert "The engine broke." in said(site)
    assert site.code[0].value == "Kopi susu"


def test_any_other_failure_is_said_without_a_traceback(gateway: StandIn, site: AppTest) -> None:
    """U10: other."""
    gateway.answer = lambda _asked: Answer.stream(b"data: nonsense\n\n")
    submit(upload(site))
    assert "An error occurred" in said(site)


def test_a_fallback_and_a_cut_are_not_hidden(gateway: StandIn, site: AppTest) -> None:
    """Who answered instead, that text is missing, and the gateway's warnings."""
    warnings = [{"code": "low_quality", "message": "The picture is blurred."}]
    gateway.answer = lambda _asked: reading(
        page(LINES), fallback_from="deepseek-ocr", truncated=True, warnings=warnings
    )
    submit(upload(site))
    told = said(site)
    for part in ("deepseek-ocr was asked for, but rapid answered", "not complete", "The picture is blurred."):
        assert part in told


def test_a_picture_nobody_can_open_is_left_to_the_gateway(gateway: StandIn, site: AppTest) -> None:
    """The page says that it cannot show it, and what the gateway says of it."""
    gateway.answer = lambda _asked: Answer.refusal(400, "invalid_image", "This is not a picture.")
    submit(upload(site, data=b"no picture"))
    assert any("cannot be shown here" in info.value for info in site.info)
    assert "This is not a picture." in said(site)


def test_a_page_of_guesses_is_not_called_good(gateway: StandIn, site: AppTest) -> None:
    """More than a third below the threshold: a writing the engine does not know looks like that."""
    gateway.answer = lambda _asked: reading(page(LINES, confidence=0.5))
    submit(upload(site))
    assert "3 of 3 lines are uncertain" in site.warning[0].value
