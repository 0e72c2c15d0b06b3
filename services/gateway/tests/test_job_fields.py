"""The text fields of a job's form."""

import pytest
from pecia_core.errors import InvalidRequest, NotFound
from pecia_core.vocabulary import ModelSize, Priority, TaskType
from pecia_gateway.jobs.fields import Wanted, idempotency_key, wanted

_NOW = 1_763_726_400.0  # 2025-11-21 12:00:00 UTC


def asked(**fields: str) -> Wanted:
    """What these fields want."""
    return wanted(fields, "auto", 200, _NOW)


def test_nothing_said_is_a_markdown_document() -> None:
    """The defaults: every page, best engine, the text layer where there is one."""
    found = asked()
    assert (found.priority, found.not_before, found.webhook_url, found.password) == (
        Priority.DEFAULT,
        None,
        "",
        "",
    )
    assert (found.options.dpi, found.options.text_layer) == (200, True)
    assert (found.options.recognize.model, found.options.recognize.task_type) == ("auto", TaskType.MARKDOWN)


def test_everything_said_is_understood() -> None:
    """Each field in its place; unknown ones and empty ones count as absent."""
    found = asked(
        prompt="Free OCR.",
        model="deepseek-ocr:tiny",
        languages="ind,eng",
        priority="HIGH",
        dpi="150.5",
        not_before="2025-11-22T07:00:00+07:00",
        text_layer="off",
        password=" s p ",
        task_type="",
        strange="x",
    )
    assert found.options.recognize.task_type is TaskType.FREE_OCR
    assert found.options.recognize.model_size is ModelSize.TINY
    assert found.options.recognize.languages == ("ind", "eng")
    assert (found.priority, found.password, found.not_before) == (
        Priority.PRIORITY,
        " s p ",
        _NOW + 12 * 3600,
    )
    assert (found.options.dpi, found.options.text_layer, found.options.prompt) == (150.5, False, "Free OCR.")
    assert "s p" not in repr(found)


def test_the_field_wins_over_the_prompt() -> None:
    """As on the other surfaces."""
    found = asked(prompt="Convert the document to markdown.", task_type="lines")
    assert found.options.recognize.task_type is TaskType.LINES


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1763726400", _NOW),
        ("1763726400.5", _NOW + 0.5),
        ("2025-11-21T12:00:00Z", _NOW),
        ("2025-11-21T12:00:00", _NOW),
        ("2025-11-21", _NOW - 12 * 3600),
    ],
)
def test_a_time_is_seconds_or_iso(text: str, moment: float) -> None:
    """Without a zone it is UTC."""
    assert asked(not_before=text).not_before == moment


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", "urgent"),
        ("text_layer", "on"),
        ("dpi", "10"),
        ("dpi", "nan"),
        ("dpi", "1e309"),
        ("dpi", "many"),
        ("not_before", "soon"),
        ("not_before", "-1"),
        ("not_before", "inf"),
        ("not_before", "1e18"),
        ("not_before", "9999-12-31T23:59:59Z"),
        ("task_type", "sing"),
        ("model_size", "huge"),
        ("languages", "../x"),
        ("pages", "0"),
        ("prompt", "x" * 16_001),
        ("prompt", "a\x00b"),
        ("password", "x" * 1025),
        ("password", "\x00"),
        ("webhook_url", "https://x/" + "y" * 3000),
    ],
)
def test_a_wrong_field_is_named(field: str, value: str) -> None:
    """Before anything is done."""
    with pytest.raises(InvalidRequest) as refused:
        asked(**{field: value})
    assert refused.value.param == field


def test_locate_needs_its_words() -> None:
    """As on the other surfaces."""
    with pytest.raises(InvalidRequest, match="ref_text"):
        asked(task_type="locate")


def test_a_size_that_no_model_has_is_not_found() -> None:
    """The message lists those there are."""
    with pytest.raises(NotFound, match="gundam"):
        asked(model="deepseek-ocr:huge")


@pytest.mark.parametrize("header", [" ", "a b", "x" * 256, "a\tb", "ä"])
def test_a_key_is_a_word(header: str) -> None:
    """Printable, without spaces, at most 255 characters."""
    with pytest.raises(InvalidRequest) as refused:
        idempotency_key(header)
    assert refused.value.param == "Idempotency-Key"
    assert idempotency_key("7d9b7c0e-2f3b") == "7d9b7c0e-2f3b"
    assert idempotency_key("") == ""
