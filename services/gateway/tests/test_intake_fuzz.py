"""Multipart bodies and data URLs from people who mean harm: one meaning, known refusals, bounded memory.

`make fuzz ONLY=multipart` or `ONLY=data-url` runs many more of these, and says the seed.
"""

import base64
import binascii
from collections.abc import AsyncIterator
from itertools import pairwise
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st
from pecia_core.errors import InvalidRequest, TooLarge
from pecia_gateway.intake.data_url import decode
from pecia_gateway.intake.parts import BrokenBody, Part, PartLimits, read_parts

LIMITS = PartLimits(max_parts=5, max_file_bytes=64, max_field_bytes=16)
PIECES = st.sampled_from(
    [b"--b", b"--b--", b"\r\n", b"\n", b"\r", b"--", b"b", b": ", b"; ", b"=", b'"', b"\\", b"\x00", b"\xff"]
    + [b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\r\n\r\n", b"\r\n--b", b"--b\r\n" * 8, b"x" * 100, b"\r\n " * 3]
    + [b"Content-Disposition: form-data", b'; name="file"', b'; filename="a.png"', b"; filename*=UTF-8''%ff"]
    + [b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n', b"Content-Type: image/png"]
    + [b'Content-Disposition: form-data; name="prompt"\r\n\r\n', b"Content-Transfer-Encoding: base64"]
)
BODIES = st.lists(PIECES | st.binary(max_size=8), max_size=30).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=12)
TYPES = st.sampled_from(["multipart/form-data; boundary=b", 'multipart/form-data; boundary="b"; charset=x'])
ORDINARY = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
SIGNS = st.sampled_from([*"ABab09+/=-_%,;: \n\t\\", "%2B", "%", "%zz", "base64", "ä", "\0", "data:"])


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    """The body, cut at these places."""
    places = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    return [body[start:end] for start, end in pairwise(places)]


async def read(body: bytes, content_type: str, cuts: list[int]) -> list[Part] | str:
    """The parts, or that there is nothing in it: broken or without parts, it is refused."""

    async def chunks() -> AsyncIterator[bytes]:
        for piece in pieces(body, cuts):
            yield piece

    try:
        return await read_parts(content_type, chunks(), LIMITS) or "nothing"
    except BrokenBody:
        return "nothing"


@given(BODIES, CUTS, TYPES)
@example(
    b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
    [1, 2, 3],
    "multipart/form-data; boundary=b",
)
async def test_a_body_means_the_same_however_it_arrives(body: bytes, cuts: list[int], kind: str) -> None:
    """Whole, in pieces, byte by byte: the same parts, or nothing each time; no other error."""
    whole = await read(body, kind, [])
    assert await read(body, kind, cuts) == whole
    assert await read(body, kind, list(range(len(body)))) == whole


@given(BODIES, TYPES)
async def test_no_body_makes_more_than_it_may(body: bytes, kind: str) -> None:
    """Of parts, and of bytes kept of each."""
    found = await read(body, kind, [])
    parts = [] if isinstance(found, str) else found
    assert len(parts) <= LIMITS.max_parts
    for part in parts:
        most = LIMITS.max_field_bytes if part.filename is None else LIMITS.max_file_bytes
        assert len(part.data) <= most + 1


@given(st.text(st.characters(max_codepoint=255), max_size=80))
async def test_no_content_type_breaks_it(said: str) -> None:
    """What stands there is anybody's, in the letters that a header may have."""
    await read(b"--b\r\n\r\n--b--", f"multipart/form-data; boundary={said}", [])


@given(st.lists(SIGNS, max_size=40).map("".join), st.integers(1, 64))
@example("data:image/png;base64,QUJD", 3)
@example("data:;base64,QUJ%44", 4)
def test_a_data_url_gives_its_bytes_or_is_refused(text: str, most: int) -> None:
    """Never more than allowed, never other bytes than base64 says, never another exception."""
    url = text if text.startswith("data:") else f"data:image/png;base64,{text}"
    try:
        upload = decode(url, max_bytes=most, param="url")
    except (InvalidRequest, TooLarge):
        return
    assert len(upload.data) <= most
    plain = "".join(unquote(url.partition(",")[2]).split()).replace("-", "+").replace("_", "/").rstrip("=")
    assert upload.data == base64.b64decode(plain + "=" * (-len(plain) % 4))


@given(data=st.binary(max_size=64), urlsafe=st.booleans(), padded=st.booleans(), escaped=st.booleans())
def test_every_spelling_of_base64_is_understood(
    data: bytes, *, urlsafe: bool, padded: bool, escaped: bool
) -> None:
    """With and without padding, for URLs, escaped."""
    text = (base64.urlsafe_b64encode(data) if urlsafe else binascii.b2a_base64(data, newline=False)).decode()
    text = text if padded else text.rstrip("=")
    text = text.replace("+", "%2B").replace("/", "%2F") if escaped else text
    assert decode(f"data:x/y;base64,{text}", max_bytes=64, param="url").data == data
