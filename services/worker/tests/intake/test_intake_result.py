"""What is said of a document that has ended."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pecia_core.vocabulary import Priority
from pecia_jobs.model import Job, JobOptions, JobPage, JobState, PageSource, PageState
from pecia_worker.intake.finisher import hopeless
from pecia_worker.intake.result import refused, result_of

JOB = Job(
    id="a_20261121_120000_0123abcd",
    tenant="filot",
    state=JobState.DONE,
    filename="a",
    media_type="image/png",
    input_key="",
    input_bytes=1,
    document_pages=2,
    options=JobOptions(),
    priority=Priority.DEFAULT,
    pages_total=2,
    pages_done=2,
    pages_failed=0,
    bytes_stored=1,
    seq=1,
    created=1000.0,
    started=1001.0,
    finished=1002.5,
    reference="doc-1",
)


def page(number: int, confidence: float | None = 0.9, engine: str = "rapid", **more: Any) -> JobPage:
    """A page that was read."""
    source = more.pop("source", PageSource.OCR)
    return JobPage(
        JOB.id, number, PageState.DONE, 1, source=source, engine=engine, confidence=confidence, **more
    )


def test_the_message_has_the_ten_fields() -> None:
    """Names and kinds as the backend's own worker sent them."""
    message = json.loads(result_of(JOB, [page(1), page(2)], "halo", 0.75).message(10_000))
    assert list(message) == [
        "success",
        "documentId",
        "ocrText",
        "parsedResult",
        "score",
        "decision",
        "outcome",
        "error",
        "gpuProcessed",
        "processingTimeMs",
    ]
    assert message | {"parsedResult": None} == {
        "success": True,
        "documentId": "doc-1",
        "ocrText": "halo",
        "parsedResult": None,
        "score": 90,
        "decision": "auto_approve",
        "outcome": "auto_approved",
        "error": None,
        "gpuProcessed": False,
        "processingTimeMs": 1500,
    }
    assert message["parsedResult"]["jobId"] == JOB.id
    assert [one["engine"] for one in message["parsedResult"]["pages"]] == ["rapid", "rapid"]


@pytest.mark.parametrize(
    ("confidences", "outcome", "score"),
    [
        ([0.9, 0.6], "auto_approved", 75.0),
        ([0.9, 0.5], "pending_manual_review", 70.0),
        ([0.9, None], "auto_approved", 90.0),
        ([None, None], "pending_manual_review", None),
    ],
)
def test_doubt_goes_to_a_person(confidences: list[float | None], outcome: str, score: float | None) -> None:
    """Below the bound, or where nobody can say, somebody has to look."""
    pages = [page(number, confidence) for number, confidence in enumerate(confidences, 1)]
    result = result_of(JOB, pages, "", 0.75)
    assert result.outcome == outcome
    assert result.score == pytest.approx(score)
    assert result.decision == ("auto_approve" if outcome == "auto_approved" else "needs_review")


def test_missing_pages_are_named() -> None:
    """A document of which a page failed is a success that somebody has to look at."""
    failed = JobPage(JOB.id, 2, PageState.FAILED, 3, error_code="server_error", error="no")
    result = result_of(replace(JOB, state=JobState.PARTIAL), [page(1), failed], "one", 0.75)
    assert (result.success, result.outcome) == (True, "pending_manual_review")
    assert result.error == "These pages could not be read: 2."
    assert result.parsed is not None
    assert result.parsed["failedPages"] == [2]


@pytest.mark.parametrize(
    ("state", "said"),
    [(JobState.FAILED, "the page is broken"), (JobState.CANCELLED, "The job was cancelled.")],
)
def test_a_failure_says_why(state: JobState, said: str) -> None:
    """Neither text nor outcome, but a reason."""
    failed = JobPage(JOB.id, 1, PageState.FAILED, 3, error_code="server_error", error="the page is broken")
    result = result_of(replace(JOB, state=state), [failed], "", 0.75)
    assert (result.success, result.outcome, result.parsed, result.error) == (False, None, None, said)
    assert json.loads(result.message(10_000))["ocrText"] is None
    assert refused("doc-1", "no").error == "no"


@pytest.mark.parametrize(
    ("engines", "on_gpu"),
    [(["deepseek", "deepseek"], True), (["deepseek", "rapid"], False), (["tesseract", "rapid"], False)],
)
def test_who_read_is_said(engines: list[str], on_gpu: bool) -> None:
    """On a GPU only if every page was, after a fallback not; the text a PDF has itself does not count."""
    pages = [page(number, engine=engine) for number, engine in enumerate(engines, 1)]
    text = page(3, engine="", source=PageSource.TEXT)
    assert result_of(JOB, [*pages, text], "", 0.75).gpu_processed is on_gpu
    assert result_of(JOB, [text], "", 0.75).gpu_processed is False


def test_a_long_text_is_not_published() -> None:
    """It is left out as a whole, never cut; the table has it. What PostgreSQL refuses is left out of it."""
    result = result_of(JOB, [page(1)], "é" * 1000 + "\x00\ud800", 0.75)
    assert result.text == "é" * 1000 + "?"
    assert json.loads(result.message(2400))["ocrText"] == result.text
    assert json.loads(result.message(2000))["ocrText"] is None


def test_only_what_may_pass_is_dead() -> None:
    """A document at fault itself is refused for good; any other reason is worth another try by hand."""

    def failed(code: str) -> JobPage:
        return JobPage(JOB.id, 1, PageState.FAILED, 3, error_code=code)

    assert hopeless([page(1), failed("invalid_pdf"), failed("image_too_large")])
    assert not hopeless([failed("invalid_pdf"), failed("server_error")])
    assert not hopeless([failed("a word of tomorrow")])
    assert not hopeless([])
