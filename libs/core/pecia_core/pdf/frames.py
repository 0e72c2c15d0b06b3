"""What parent and child say to each other: two lengths, a msgpack header, a payload. Nothing is unpickled.

To the child: `Open` with a descriptor of the PDF beside it, then `Render` and `ReadText` about its
pages, then `Close`. From it: `Ready` once, then an answer to each but `Close`.
"""

from enum import StrEnum
from struct import Struct

import msgspec

# Lengths of header and payload.
_LENGTHS = Struct("!II")
LENGTHS_BYTES = _LENGTHS.size
# What a child says is not trusted: it may have been taken over by the document it reads.
MAX_PICTURE_BYTES = 128 << 20
_MAX_HEADER_BYTES = 64 << 10


class Refusal(StrEnum):
    """Why a child cannot do what it was asked."""

    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    NO_PAGES = "no_pages"
    NO_SUCH_PAGE = "no_such_page"
    OUT_OF_MEMORY = "out_of_memory"


class Open(msgspec.Struct, frozen=True, tag=True):
    """Read this document from now on, and no other; its descriptor comes with the first byte.

    The answer repeats `token`: a process that read an earlier document cannot have known it.
    """

    password: str | None = None
    token: int = 0


class Render(msgspec.Struct, frozen=True, tag=True):
    """Draw a page with at most so many pixels; `page_index` counts from 0."""

    page_index: int
    dpi: float
    max_pixels: int


class ReadText(msgspec.Struct, frozen=True, tag=True):
    """The text layer of a page, placed in pixels of the page as `Render` would draw it."""

    page_index: int
    dpi: float
    max_pixels: int


class Close(msgspec.Struct, frozen=True, tag=True):
    """Forget the document. There is no answer."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The child is loaded and waits; `wall` is what holds it, as `pecia_wall.Bearing` writes it."""

    wall: str = "0"


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The document can be read and has so many pages."""

    pages: int
    token: int = 0


class Drawn(msgspec.Struct, frozen=True, tag=True):
    """The payload is a JPEG of this size; `dpi` is less than asked for where the pixels were capped."""

    width: int
    height: int
    dpi: float


class TextRead(msgspec.Struct, frozen=True, tag=True):
    """The payload is a `pecia_core.pdf.layer.Layer` as msgpack."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be done. Words for people are the parent's: a child's words are not passed on."""

    why: Refusal
    token: int = 0


Request = Render | ReadText
ToChild = Open | Request | Close
FromChild = Ready | Opened | Drawn | TextRead | Refused

to_child_decoder: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
from_child_decoder: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)
_encoder = msgspec.msgpack.Encoder()


def head(message: ToChild | FromChild, payload_bytes: int = 0) -> bytes:
    """Everything of a frame but its payload."""
    header = _encoder.encode(message)
    return _LENGTHS.pack(len(header), payload_bytes) + header


def lengths(data: bytes, max_payload_bytes: int) -> tuple[int, int]:
    """Bytes of header and payload that follow.

    Raises:
        ValueError: more than any honest frame has.
    """
    header, payload = _LENGTHS.unpack(data)
    if header > _MAX_HEADER_BYTES or payload > max_payload_bytes:
        raise ValueError("a frame is longer than any frame can be")
    return header, payload
