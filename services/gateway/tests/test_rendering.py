"""Recognitions as answers."""

import json

import pytest
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Notice, Recognition, Timings, Usage
from pecia_core.vocabulary import BlockKind, FinishReason
from pecia_gateway.rendering import (
    Head,
    chat_completion,
    extension_of,
    finish_of,
    ocr_response,
    reading_of,
    text_completion,
)

PLACE = Polygon.from_bbox(BBox(10, 20, 110, 40))
HEAD = Head("chatcmpl-1", 1_700_000_000, "deepseek-ocr", (Notice("unknown_parameter", "x"),))


def page(*texts: str, index: int = 0, confidence: float | None = 0.5, **fields: object) -> Recognition:
    """A page that says this."""
    lines = tuple(Line(text, PLACE, confidence, row=row) for row, text in enumerate(texts))
    blocks = (Block(BlockKind.PARAGRAPH, PLACE, lines),) if lines else ()
    known = {
        "engine": "rapid",
        "model": "PP-OCRv5",
        "usage": Usage(100, 90, 10),
        "timings": Timings(1, 2, 3, 6),
    }
    return Recognition(Page(200, 100, blocks, index), "\n".join(texts), **{**known, **fields})  # type: ignore[arg-type]


def test_chat_completion_has_openais_shape() -> None:
    """Every key a strict client reads is there, with its type."""
    answer = chat_completion(HEAD, [reading_of([page("hello", "world")])], runs=1).model_dump()
    extension = answer.pop("ocr")
    assert answer == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "deepseek-ocr",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello\nworld", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "prompt_tokens_details": {"image_tokens": 90, "cached_tokens": 0, "audio_tokens": 0},
        },
    }
    assert extension["engine"] == "rapid"
    assert extension["warnings"] == [{"code": "unknown_parameter", "message": "x"}]
    assert extension["pages"][0]["blocks"][0]["lines"][0]["text"] == "hello"


def test_text_completion_has_openais_shape() -> None:
    """The older surface has `text` where chat has a message."""
    answer = text_completion(HEAD, [reading_of([page("hello")])], runs=1).model_dump()
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [{"index": 0, "finish_reason": "stop", "logprobs": None, "text": "hello"}]


def test_pages_are_joined_with_a_marker() -> None:
    """Readers can tell where the next page begins; one page has no marker."""
    two = reading_of([page("one"), page("two", index=1)])
    assert two.text == "one\n\n--- page 2 ---\n\ntwo"
    assert reading_of([page("one")]).text == "one"


def test_json_content_is_the_document() -> None:
    """A caller who asked for a JSON object gets the pages as JSON."""
    content = json.loads(reading_of([page("één"), page("two", index=1)], as_json=True).text)
    assert [one["blocks"][0]["lines"][0]["text"] for one in content["pages"]] == ["één", "two"]


@pytest.mark.parametrize(
    ("reason", "openai", "truncated", "codes"),
    [
        (FinishReason.STOP, "stop", False, []),
        (FinishReason.LENGTH, "length", True, []),
        (FinishReason.REPETITION, "stop", True, ["repetition_truncated"]),
        (FinishReason.CANCELLED, "stop", True, []),
    ],
)
def test_openai_sees_only_its_own_finish_reasons(
    reason: FinishReason, openai: str, truncated: bool, codes: list[str]
) -> None:
    """Strict clients refuse other words; the real one and the loss of text are in the extension."""
    pages = [page("a"), page("b", finish_reason=reason)]
    extension = extension_of(pages)
    assert finish_of(pages) == openai
    assert (extension.finish_reason, extension.truncated) == (reason.value, truncated)
    assert [warning.code for warning in extension.warnings] == codes


def test_usage_counts_runs_not_copies() -> None:
    """Four choices made of one reading cost one reading."""
    reading = reading_of([page("a")])
    assert chat_completion(HEAD, [reading] * 4, runs=1).usage.total_tokens == 110
    assert chat_completion(HEAD, [reading] * 4, runs=4).usage.total_tokens == 440


def test_fallback_and_attempts_are_told() -> None:
    """Who answered instead of whom is never hidden, and the same notice is said once."""
    notice = Notice("engine_fallback", "A CPU engine answered.")
    pages = [page("a"), page("b", fallback_from="deepseek-ocr", attempts=3, warnings=(notice,))]
    extension = extension_of([*pages, page("c", warnings=(notice,))])
    assert (extension.fallback_from, extension.attempts) == ("deepseek-ocr", 3)
    assert len(extension.warnings) == 1
    assert extension.timings.total_ms == 18


def test_lines_have_the_seeds_names() -> None:
    """Existing receipt clients read exactly these keys."""
    answer = ocr_response([page("TOTAL AMOUNT", "12")], "req_1", 1234.4).model_dump()
    assert answer["lines"][0] == {
        "text": "TOTAL AMOUNT",
        "confidence": 0.5,
        "bbox": [[10, 20], [110, 20], [110, 40], [10, 40]],
        "page": 1,
    }
    assert (answer["line_count"], answer["avg_confidence"], answer["processing_time_ms"]) == (2, 0.5, 1234)
    assert (answer["engine"], answer["request_id"], answer["text"]) == ("rapid", "req_1", "TOTAL AMOUNT\n12")


def test_a_blank_page_is_an_empty_answer() -> None:
    """No lines, no text, and an average that is unknown instead of zero."""
    answer = ocr_response([page()], "req_1", 5).model_dump()
    assert (answer["lines"], answer["line_count"], answer["avg_confidence"]) == ([], 0, None)
    assert chat_completion(HEAD, [reading_of([page()])], runs=1).choices[0].message.content == ""


def test_unknown_confidences_do_not_count() -> None:
    """Null is not known, and never a zero in the mean."""
    answer = ocr_response([page("a", confidence=None), page("b", confidence=0.8, index=1)], "r", 5)
    assert [line.confidence for line in answer.lines] == [None, 0.8]
    assert answer.avg_confidence == 0.8
    assert [line.page for line in answer.lines] == [1, 2]
