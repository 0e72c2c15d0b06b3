"""What a session keeps, what it forgets, and what nobody else gets to see."""

import logging

import pytest
from pecia_ui.testing.gateway import REQUEST_ID, StandIn, models, page, reading
from pecia_ui.testing.visitor import legend, opened, picture, recognised, said, submit, upload
from streamlit.testing.v1 import AppTest

LINES = ["Kopi susu", "Roti bakar", "Teh manis"]


def test_the_pages_own_key_is_sent_and_never_shown(
    gateway: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A setting may hold one for everybody; it is on no screen and in no log."""
    monkeypatch.setenv("API_BASE", gateway.url)
    monkeypatch.setenv("PECIA_API__KEY", "pk-of-the-page")
    with caplog.at_level(logging.DEBUG):
        site = submit(upload(opened()))
    assert gateway.readings[-1].headers["authorization"] == "Bearer pk-of-the-page"
    assert "pk-of-the-page" not in said(site) + str(site)
    assert "pk-of-the-page" not in caplog.text


def test_no_text_and_no_file_name_is_logged(
    gateway: StandIn, site: AppTest, caplog: pytest.LogCaptureFixture
) -> None:
    """What people upload is theirs; the request id is enough to find the call."""
    gateway.answer = lambda _asked: reading(page(["Private words"]))
    with caplog.at_level(logging.DEBUG):
        submit(upload(site, "passport.png"))
    told = [record for record in caplog.records if record.name.startswith("pecia_ui")]
    assert [getattr(record, "request_id", None) for record in told] == [REQUEST_ID]
    assert "Private" not in caplog.text
    assert "passport" not in caplog.text


def test_results_can_be_downloaded_and_stay(gateway: StandIn, site: AppTest) -> None:
    """Three files; the text is still there after a click, whatever else is clicked."""
    gateway.answer = lambda _asked: reading(page(LINES))
    submit(upload(site))
    assert [button.key for button in site.get("download_button")] == [
        "download-text",
        "download-markdown",
        "download-json",
    ]
    site.toggle(key="numbers").set_value(False).run()
    site.slider(key="threshold").set_value(30).run()
    site.selectbox(key="size").select("Tiny").run()
    assert recognised(site) == "\n".join(LINES)
    assert "3 read with confidence" in legend(site)
    assert len(gateway.readings) == 1


def test_a_new_picture_takes_the_old_text_away(gateway: StandIn, site: AppTest) -> None:
    """Boxes and text of one picture never stand beside another."""
    submit(upload(site))
    upload(site, "other.png", picture("red"))
    assert not site.success
    assert recognised(site) == ""
    assert "Ready." in site.info[0].value


def test_the_sample_is_read_at_once(gateway: StandIn, site: AppTest) -> None:
    """One click shows what the page can do; an upload then takes its place."""
    site.button(key="sample").click().run()
    assert site.success
    assert len(gateway.readings) == 1
    upload(site)
    assert not site.success


def test_the_models_of_the_gateway_can_be_chosen(gateway: StandIn, site: AppTest) -> None:
    """With the engine that answers and its state; sizes have a list of their own."""
    gateway.models = models(
        ("auto", "rapid", "ready"),
        ("tesseract", "tesseract", "loading"),
        ("deepseek-ocr", "rapid", "ready"),
        ("deepseek-ocr:tiny", "rapid", "ready"),
    )
    site = opened()
    assert site.selectbox(key="model").options == [
        "auto (rapid)",
        "tesseract, loading",
        "deepseek-ocr (rapid)",
    ]


def test_a_model_that_disappears_does_not_break_the_page(gateway: StandIn, site: AppTest) -> None:
    """Pods come and go while people look at the page."""
    site.selectbox(key="model").select("rapid").run()
    gateway.models = models(("auto", "tesseract", "ready"))
    site.text_input(key="api_key").input("another").run()
    assert not site.exception
    assert site.selectbox(key="model").value == "auto"
