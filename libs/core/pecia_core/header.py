"""Format and size of an encoded picture, from its first bytes, without decoding a pixel."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from pecia_core.errors import InvalidDocument, UnsupportedDocument

_Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What the header says. `format` is Pillow's word; an EXIF rotation may yet swap the sides."""

    format: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """How many pixels a decoder would make of it."""
        return self.width * self.height


def sniff(data: bytes) -> PictureHeader:
    """Look at the header, in bounded time whatever the bytes are.

    Raises:
        InvalidDocument: no bytes at all, or a header that breaks off or names no size.
        UnsupportedDocument: something else than a JPEG, PNG, WEBP, BMP or TIFF.
    """
    if not data:
        raise InvalidDocument("The picture has 0 bytes: send a file with content.", code="empty_image_file")
    name = _format(data)
    try:
        width, height = _SIZES[name](data)
    except (struct.error, LookupError) as error:
        raise InvalidDocument(f"The {name} header is damaged: send the original file again.") from error
    if width < 1 or height < 1:
        raise InvalidDocument(f"The {name} header says {width} x {height} pixels: send a real picture.")
    return PictureHeader(name, width, height)


def _format(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    raise UnsupportedDocument("This is not a picture that can be read: send JPEG, PNG, WEBP, BMP or TIFF.")


def _png(data: bytes) -> _Size:
    kind, width, height = struct.unpack_from(">4sII", data, 12)
    if kind != b"IHDR":
        raise LookupError(kind)
    return width, height


# Start-of-frame markers; the gaps are tables (C4, CC) and a reserved one (C8).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _FILL = 0xDA, 0xFF
# EXIF, colour profiles and previews take up to some 600 in real files.
_MAX_SEGMENTS = 2000


def _jpeg(data: bytes) -> _Size:
    """Walk from segment to segment; the picture's frame comes before its first scan."""
    place = 2
    for _ in range(_MAX_SEGMENTS):
        lead, marker, length = struct.unpack_from(">BBH", data, place)
        if lead != _FILL or marker == _SCAN:
            break
        if marker == _FILL:
            place += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        place += 2 + length
    raise LookupError("no frame")


def _webp(data: bytes) -> _Size:
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise LookupError(kind)


_OLD_BMP_HEADER = 12


def _bmp(data: bytes) -> _Size:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == _OLD_BMP_HEADER else "<ii", data, 18)
    return width, abs(height)  # a negative height means that rows run from top to bottom


_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_NUMBERS = {3: "H", 4: "I", 16: "Q"}
_MAX_TAGS = 4096


def _tiff(data: bytes) -> _Size:
    """Width and height of the first frame, from classic TIFF and BigTIFF."""
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[:4]
    start, count, entry, value = ("Q", "Q", 20, 12) if big else ("I", "H", 12, 8)
    (place,) = struct.unpack_from(order + start, data, 8 if big else 4)
    (tags,) = struct.unpack_from(order + count, data, place)
    place += struct.calcsize(order + count)
    found: dict[int, int] = {}
    for _ in range(min(tags, _MAX_TAGS)):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            (found[tag],) = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, place + value)
        place += entry
    return found[_TIFF_WIDTH], found[_TIFF_HEIGHT]


_SIZES: dict[str, Callable[[bytes], _Size]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
}
