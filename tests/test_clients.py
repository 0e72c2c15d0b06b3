"""Our own clients over the real stack: both tell the same about one picture."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pecia_client.grpc import GrpcClient
from pecia_client.reading import Reading
from pecia_client.rest import RestClient
from pecia_core.errors import InvalidRequest, NotFound, PeciaError, UnsupportedDocument
from pecia_core.recognition import Delta, Recognition, RecognizeOptions, Started
from pecia_core.testing import blank_page
from pecia_core.vocabulary import TaskType
from PIL import Image

pytestmark = pytest.mark.engine


def test_rest_and_grpc_tell_the_same(stack: Any, receipt: bytes) -> None:
    """Text, lines, boxes and confidences are equal whichever way the picture went."""
    options = RecognizeOptions("rapid")
    with RestClient(stack.url) as rest, GrpcClient(stack.target) as grpc:
        reading = rest.recognize(receipt, options)
        recognition = grpc.recognize(receipt, options)
    assert "TOTAL 77.145" in reading.text
    assert reading.text == recognition.text
    (page,) = reading.document.pages
    assert [line.text for line in page.lines()] == [line.text for line in recognition.page.lines()]
    here, there = list(page.lines()), list(recognition.page.lines())
    for one, other in zip(here, there, strict=True):
        assert one.polygon.bbox.x0 == pytest.approx(other.polygon.bbox.x0, abs=0.1)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
        assert one.row == other.row
    assert reading.engine == recognition.engine == "rapid"
    assert reading.usage == recognition.usage


def test_rest_stream_ends_with_the_whole_reading(stack: Any, receipt: bytes) -> None:
    """Several deltas, all of them the text, and the pages and usage at the end."""
    with RestClient(stack.url) as client:
        *deltas, reading = client.stream(receipt, RecognizeOptions("rapid"))
    assert len(deltas) >= 2
    assert isinstance(reading, Reading)
    assert "".join(map(str, deltas)) == reading.text
    assert "TOTAL 77.145" in reading.text
    assert reading.engine == "rapid"
    assert reading.document.pages[0].confidence
    assert reading.usage.completion_tokens > 0
    assert reading.request_id


def test_grpc_stream_is_started_deltas_recognition(stack: Any, receipt: bytes) -> None:
    """The order of the contract, and all deltas are the text."""
    with GrpcClient(stack.target) as client:
        events = list(client.stream(receipt, RecognizeOptions("rapid")))
    assert isinstance(events[0], Started)
    finished = events[-1]
    assert isinstance(finished, Recognition)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == finished.text


def test_fallback_is_told(stack: Any, receipt: bytes) -> None:
    """`deepseek-ocr` is answered by a CPU engine, which the reading says."""
    with RestClient(stack.url) as client:
        reading = client.recognize(receipt, RecognizeOptions("deepseek-ocr"))
    assert (reading.engine, reading.fallback_from) == ("rapid", "deepseek-ocr")
    assert reading.warnings


def test_lines_are_read(stack: Any, receipt: bytes) -> None:
    """The multipart route, typed."""
    with RestClient(stack.url) as client:
        lines = client.lines(receipt)
    assert "TOTAL" in lines.text
    assert 0.5 < lines.avg_confidence <= 1
    assert lines.processing_time_ms > 0


@pytest.mark.parametrize(
    ("data", "options", "kind", "code"),
    [
        (b"no picture", RecognizeOptions(), UnsupportedDocument, "unsupported_image_media_type"),
        (b"", RecognizeOptions(), PeciaError, "empty_image_file"),
        (None, RecognizeOptions("gpt-9"), NotFound, "model_not_found"),
        (None, RecognizeOptions(task_type=TaskType.LOCATE), InvalidRequest, "missing_required_parameter"),
        (None, RecognizeOptions("rapid", TaskType.DESCRIBE), InvalidRequest, "unsupported_value"),
    ],
)
def test_both_clients_raise_the_same_error(
    stack: Any, data: bytes | None, options: RecognizeOptions, kind: type[PeciaError], code: str
) -> None:
    """One family, one code, whichever way the refusal came; over REST with its request id."""
    data = blank_page() if data is None else data
    with RestClient(stack.url) as rest, pytest.raises(kind) as over_rest:
        rest.recognize(data, options)
    with GrpcClient(stack.target) as grpc, pytest.raises(kind) as over_grpc:
        grpc.recognize(data, options)
    assert over_rest.value.code == over_grpc.value.code == code
    assert over_rest.value.request_id
    assert over_rest.value.message


def test_a_blank_page_is_an_empty_reading(stack: Any) -> None:
    """No text is no error."""
    with RestClient(stack.url) as client:
        reading = client.recognize(blank_page())
    assert reading.text == ""
    assert list(reading.document.pages[0].lines()) == []


def test_the_command_reads_a_pdf(stack: Any, receipt: bytes, tmp_path: Path) -> None:
    """Two pages in one file come back as two pages, in order."""
    first, second = (
        Image.open(BytesIO(receipt)).convert("RGB"),
        Image.open(BytesIO(blank_page())).convert("RGB"),
    )
    path = tmp_path / "two.pdf"
    first.save(path, save_all=True, append_images=[second], resolution=100)
    command = [sys.executable, "-m", "pecia_client", "ocr", str(path), "-f", "json", "--api-base", stack.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [page["number"] for page in said["pages"]] == [1, 2]
    assert "77.145" in said["text"]
