"""What parent and child say to each other survives the pipe, and nothing else gets through."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.pdf import frames
from pecia_core.pdf.frames import (
    Close,
    Drawn,
    FromChild,
    Open,
    Opened,
    ReadText,
    Ready,
    Refusal,
    Refused,
    Render,
    TextRead,
    ToChild,
)

ABOUT_A_PAGE = (st.integers(0, 2**31), st.floats(1, 1200), st.integers(1, 2**40))
TO_CHILD = (
    st.builds(Open, st.none() | st.text(), st.integers(0, 2**63))
    | st.builds(Render, *ABOUT_A_PAGE)
    | st.builds(ReadText, *ABOUT_A_PAGE)
    | st.just(Close())
)
FROM_CHILD = (
    st.from_type(Ready)
    | st.builds(Opened, st.integers(0, 2**31), st.integers(0, 2**63))
    | st.just(TextRead())
    | st.builds(Drawn, st.integers(1, 2**20), st.integers(1, 2**20), st.floats(1, 1200))
    | st.builds(Refused, st.sampled_from(Refusal), st.integers(0, 2**63))
)
MOST = 1 << 20


def parted(frame: bytes) -> tuple[bytes, int]:
    """The header, and how long the payload will be."""
    header, payload = frames.lengths(frame[: frames.LENGTHS_BYTES], MOST)
    assert len(frame) == frames.LENGTHS_BYTES + header
    return frame[frames.LENGTHS_BYTES :], payload


@given(message=TO_CHILD, payload=st.integers(0, MOST))
def test_a_request_arrives_as_it_was(message: ToChild, payload: int) -> None:
    """Requests keep every field, and the payload's length is known before it comes."""
    header, announced = parted(frames.head(message, payload))
    assert frames.to_child_decoder.decode(header) == message
    assert announced == payload


@given(message=FROM_CHILD, payload=st.integers(0, MOST))
def test_an_answer_arrives_as_it_was(message: FromChild, payload: int) -> None:
    """Answers keep every field as well."""
    header, announced = parted(frames.head(message, payload))
    assert frames.from_child_decoder.decode(header) == message
    assert announced == payload


@given(data=st.binary(max_size=200))
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Any bytes decode to a message or raise the one error that is expected."""
    try:
        said = frames.from_child_decoder.decode(data)
    except msgspec.MsgspecError:
        return
    assert isinstance(said, FromChild)


def test_requests_are_no_answers() -> None:
    """A child that repeats what it was asked has not answered."""
    header, _ = parted(frames.head(Open()))
    with pytest.raises(msgspec.ValidationError):
        frames.from_child_decoder.decode(header)


@pytest.mark.parametrize(("header", "payload"), [(1 << 20, 0), (1, MOST + 1), (2**32 - 1, 2**32 - 1)])
def test_lengths_no_honest_frame_has_are_refused(header: int, payload: int) -> None:
    """A child cannot make the parent wait for, or hold, gigabytes."""
    with pytest.raises(ValueError, match="longer than any"):
        frames.lengths(header.to_bytes(4) + payload.to_bytes(4), MOST)
