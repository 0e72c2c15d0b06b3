"""data: URLs: what is tolerated, what is refused, and that refusing is cheap."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.errors import InvalidRequest, PeciaError, TooLarge
from pecia_gateway.intake.data_url import decode

_MAX = 1000


def _data(url: str) -> bytes:
    return decode(url, max_bytes=_MAX, param="image").data


@given(data=st.binary(max_size=_MAX), padded=st.booleans(), urlsafe=st.booleans(), gap=st.integers(0, 90))
def test_what_was_encoded_comes_back(data: bytes, padded: bool, urlsafe: bool, gap: int) -> None:
    """Both alphabets, with and without padding, broken into lines."""
    text = (base64.urlsafe_b64encode(data) if urlsafe else base64.b64encode(data)).decode()
    text = text if padded else text.rstrip("=")
    if gap:
        text = "\r\n ".join(text[start : start + gap] for start in range(0, len(text), gap))
    assert _data(f"data:image/png;base64,{text}") == data


@given(st.text())
def test_nothing_breaks_the_decoder(text: str) -> None:
    """Whatever stands there is a file or an error with a code."""
    try:
        _data(f"data:image/png;base64,{text}")
    except PeciaError as error:
        assert error.code in {"invalid_base64_image", "image_file_too_large"}  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        ("data:image/PNG;base64", "image/png"),
        ("data:image/png;name=a.png;base64", "image/png"),
        ("data:;base64", ""),
        ("DATA:;BASE64", ""),
        ("data:base64", "base64"),
    ],
)
def test_the_media_type_is_what_stands_first(head: str, media_type: str) -> None:
    """It is a claim, and may be missing."""
    assert decode(f"{head},AAAA", max_bytes=_MAX, param="image").media_type == media_type


@pytest.mark.parametrize(
    "payload", ["####", "A", "AAAAA", "AA=A", "=AAA", "A\u00e9AA", "AAA\u2028\ud800", "AA==BB=="]
)
def test_broken_base64_is_named(payload: str) -> None:
    """With the field it stands in."""
    with pytest.raises(InvalidRequest) as caught:
        _data(f"data:image/png;base64,{payload}")
    assert (caught.value.code, caught.value.param) == ("invalid_base64_image", "image")


def test_the_limit_is_exact() -> None:
    """The last allowed byte passes, the next does not."""
    fitting = base64.b64encode(b"x" * _MAX).decode()
    assert len(_data(f"data:;base64,{fitting}")) == _MAX
    with pytest.raises(TooLarge):
        _data("data:;base64," + base64.b64encode(b"x" * (_MAX + 1)).decode())


def test_a_large_picture_does_not_hold_up_the_others() -> None:
    """Ten megabytes are decoded in a fraction of a second: the event loop waits for it."""
    size = 10 * 2**20
    url = "data:image/jpeg;base64," + base64.b64encode(bytes(size)).decode()
    began = time.perf_counter()
    decode(url, max_bytes=size, param="image")
    assert time.perf_counter() - began < 1.0
