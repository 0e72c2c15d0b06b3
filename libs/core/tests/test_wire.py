"""What goes over the wire comes back as it was; what a newer contract sends is taken sensibly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia.ocr.v1 import document_pb2, ocr_pb2
from pecia_core import wire
from pecia_core.document import Block, Line, Page
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta, Event, Recognition, RecognizeOptions, Started
from pecia_core.vocabulary import BlockKind, FinishReason, ModelSize, Priority, TaskType

PLACE = Polygon.from_bbox(BBox(0, 0, 10, 10))
EVENTS = st.from_type(Started) | st.from_type(Delta) | st.from_type(Block) | st.from_type(Recognition)


@given(page=st.from_type(Page))
def test_a_page_comes_back_as_it_was(page: Page) -> None:
    """Blocks, lines, words, polygons and confidences survive bytes, absent ones included."""
    data = wire.page_to_proto(page).SerializeToString()
    assert wire.page_from_proto(document_pb2.Page.FromString(data)) == page


@given(line=st.from_type(Line))
def test_a_line_comes_back_as_it_was(line: Line) -> None:
    """A line of a delta keeps its words and its row."""
    data = wire.line_to_proto(line).SerializeToString()
    assert wire.line_from_proto(document_pb2.Line.FromString(data)) == line


@given(options=st.from_type(RecognizeOptions))
def test_options_come_back_as_they_were(options: RecognizeOptions) -> None:
    """Wishes left open stay open: None does not become 0."""
    data = wire.options_to_proto(options).SerializeToString()
    assert wire.options_from_proto(ocr_pb2.RecognizeOptions.FromString(data)) == options


@given(recognition=st.from_type(Recognition))
def test_a_recognition_comes_back_as_it_was(recognition: Recognition) -> None:
    """Text, warnings, timings and usage survive bytes."""
    data = wire.recognition_to_proto(recognition).SerializeToString()
    assert wire.recognition_from_proto(ocr_pb2.Recognition.FromString(data)) == recognition


@given(event=EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    """Each of the four steps of a page's life arrives as what it was."""
    data = wire.event_to_proto(event).SerializeToString()
    assert wire.event_from_proto(ocr_pb2.RecognizeStreamResponse.FromString(data)) == event


@pytest.mark.parametrize("task", list(TaskType))
def test_every_task_has_its_word(task: TaskType) -> None:
    """Tasks survive alone, as Describe sends them."""
    assert wire.task_from_proto(wire.task_to_proto(task)) is task


@pytest.mark.parametrize("size", list(ModelSize))
def test_every_size_has_its_word(size: ModelSize) -> None:
    """Sizes survive alone, as Describe sends them."""
    assert wire.size_from_proto(wire.size_to_proto(size)) is size


def test_zero_confidence_is_not_unknown_confidence() -> None:
    """0.0 is an answer and must not be lost as proto's default."""
    sure_of_nothing, unknown = Line("a", PLACE, 0.0), Line("a", PLACE, None)
    assert wire.line_from_proto(wire.line_to_proto(sure_of_nothing)).confidence == 0.0
    assert wire.line_from_proto(wire.line_to_proto(unknown)).confidence is None


def test_confidence_out_of_range_is_brought_into_it() -> None:
    """Another implementation's 1.0000001 must not cost a page."""
    message = wire.line_to_proto(Line("a", PLACE, 1.0))
    message.confidence = 1.0000001192092896
    assert wire.line_from_proto(message).confidence == 1.0


def test_an_empty_request_means_the_defaults() -> None:
    """A foreign client that sets nothing gets free OCR by the best engine."""
    assert wire.options_from_proto(ocr_pb2.RecognizeOptions()) == RecognizeOptions()


def test_words_of_a_newer_contract_are_taken_as_the_plainest() -> None:
    """Unknown tasks, sizes, kinds, priorities and reasons do not break an older program."""
    assert wire.task_from_proto(99) is TaskType.FREE_OCR
    assert wire.size_from_proto(99) is None
    options = ocr_pb2.RecognizeOptions()
    options.MergeFromString(b"\x38\x63")  # field 7, priority: 99
    assert wire.options_from_proto(options).priority is Priority.DEFAULT
    block = wire.block_to_proto(Block(BlockKind.TABLE, PLACE))
    block.MergeFromString(b"\x08\x63")  # field 1, kind: 99
    assert wire.block_from_proto(block).kind is BlockKind.PARAGRAPH
    recognition = ocr_pb2.Recognition()
    recognition.MergeFromString(b"\x18\x63")  # field 3, finish_reason: 99
    assert wire.recognition_from_proto(recognition).finish_reason is FinishReason.STOP


def test_an_event_of_a_newer_contract_is_passed_over() -> None:
    """A step this version does not know is None, which callers skip."""
    assert wire.event_from_proto(ocr_pb2.RecognizeStreamResponse()) is None


def test_a_place_that_is_none_is_refused() -> None:
    """A line without a polygon is nonsense from outside and shows as ValueError, not as a box at 0, 0."""
    with pytest.raises(ValueError, match="at least 3 points"):
        wire.line_from_proto(document_pb2.Line(text="a"))
