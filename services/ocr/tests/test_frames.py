"""Frames between the service and its workers: both ways, and what a hostile worker could send."""

import struct

import msgspec
import pytest
from pecia_core.document import Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta, Recognition, RecognizeOptions
from pecia_core.vocabulary import EngineName, TaskType
from pecia_ocr.engines.base import EngineInfo
from pecia_ocr.scheduling import frames

_LINE = Line("Rp 10.000", Polygon.from_bbox(BBox(1, 2, 3, 4)), 0.5, row=7)


@pytest.mark.parametrize(
    "message",
    [
        frames.Loading(0.5),
        frames.Ready(EngineInfo(EngineName.RAPID, ("rapid",), "r1", (TaskType.FREE_OCR,))),
        frames.Failed(None, "engine_unavailable", "no model"),
        frames.Text(3, Delta("\nRp 10.000", _LINE)),
        frames.Done(3, Recognition(Page(10, 20), "text", "rapid")),
        frames.PageDone(3, Recognition(Page(10, 20), "text", "deepseek")),
        frames.AllDone(3),
        frames.Weighed(1 << 30),
        frames.Stopped(3),
    ],
)
def test_what_a_worker_says_arrives_as_said(message: frames.FromWorker) -> None:
    """Every message survives the socket."""
    frame = frames.encode(message)
    header, payload = frames.lengths(frame[: frames.HEAD_BYTES])
    assert payload == 0
    assert frames.from_worker_decoder.decode(frame[frames.HEAD_BYTES :][:header]) == message


def test_what_a_worker_is_told_arrives_as_said() -> None:
    """Options and the payload's length travel too."""
    message = frames.Read(1, RecognizeOptions(task_type=TaskType.LOCATE, ref_text="total"), "req", None)
    frame = frames.encode(message, payload_length=99)
    header, payload = frames.lengths(frame[: frames.HEAD_BYTES])
    assert payload == 99
    assert frames.to_worker_decoder.decode(frame[frames.HEAD_BYTES :][:header]) == message


def test_a_frame_that_promises_gigabytes_is_refused_before_it_is_read() -> None:
    """A worker that was taken over cannot fill the service's memory."""
    with pytest.raises(ValueError, match="larger than allowed"):
        frames.lengths(struct.pack(">II", frames.MAX_HEADER_BYTES + 1, 0))
    with pytest.raises(ValueError, match="larger than allowed"):
        frames.lengths(struct.pack(">II", 1, frames.MAX_PAYLOAD_BYTES + 1))


@pytest.mark.parametrize(
    "said",
    [
        {"type": "Text", "call_id": 1, "delta": {"text": 5}},
        {"type": "Load", "engine": "rapid"},
        {"type": "Done", "call_id": 1},
        {"type": "Loading", "progress": "much"},
        [1, 2],
    ],
)
def test_nonsense_from_a_worker_is_refused(said: object) -> None:
    """Only what the types allow is believed."""
    with pytest.raises(msgspec.ValidationError):
        frames.from_worker_decoder.decode(msgspec.msgpack.encode(said))


def test_an_impossible_confidence_is_refused() -> None:
    """The document model's own checks hold on the socket too."""
    good = msgspec.to_builtins(frames.Text(1, Delta("a", _LINE)))
    good["delta"]["line"]["confidence"] = 7
    with pytest.raises(msgspec.ValidationError):
        frames.from_worker_decoder.decode(msgspec.msgpack.encode(good))
