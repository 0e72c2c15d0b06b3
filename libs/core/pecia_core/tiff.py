"""Parts a TIFF of several pages into files of one page each, by its directories; no pixel is looked at.

A page's file is the whole file with another directory named as its first and only one: whatever the page
points to stays where it is, so every way of packing works, and what is hostile is the ocr service's to find.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pecia_core.errors import InvalidDocument

_FIRST_AT = 4  # where the header names the first directory
_ENTRY_BYTES = 12
_SUBFILE_TYPE = 254
# Smaller copies of another page, and masks.
_NO_PAGE = 0b101
# Directories looked at, pages or not: a file of ten megabytes has room for half a million.
_MAX_DIRECTORIES = 256


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where it begins, where it names the next one and what it says there (0 = none), and if it is a page."""

    place: int
    next_at: int
    next_place: int
    is_page: bool


def pages(data: bytes, most: int) -> list[bytes]:
    """One TIFF a page, `most` + 1 where there are more than `most`.

    A file whose first directory cannot be read comes back as it is: the ocr service finds the words.

    Raises:
        InvalidDocument: a later directory cannot be read, one comes twice, or there are endlessly many.
    """
    found: list[_Directory] = []
    for directory in _directories(data):
        if directory.is_page:
            found.append(directory)
        if len(found) > most:
            break
    return [_alone(data, directory) for directory in found] or [data]


def _directories(data: bytes) -> Iterator[_Directory]:
    order = "<" if data.startswith(b"II") else ">"
    seen: set[int] = set()
    (place,) = struct.unpack_from(order + "I", data, _FIRST_AT) if len(data) >= 2 * _FIRST_AT else (0,)
    while place:
        try:
            directory = _directory(data, order, place)
        except struct.error:
            if not seen:
                return
            raise _broken("its list of pages leads out of the file") from None
        seen.add(place)
        yield directory
        place = directory.next_place
        if place in seen:
            raise _broken("its list of pages leads back to a former page")
        if place and len(seen) >= _MAX_DIRECTORIES:
            raise _broken(f"it has more than {_MAX_DIRECTORIES} directories")


def _directory(data: bytes, order: str, place: int) -> _Directory:
    """Raises struct.error where it leads out of the file."""
    (entries,) = struct.unpack_from(order + "H", data, place)
    next_at = place + 2 + entries * _ENTRY_BYTES
    (next_place,) = struct.unpack_from(order + "I", data, next_at)
    kind = 0
    # Entries are in the order of their tags, and no tag of use is lower.
    for at in range(place + 2, min(next_at, place + 2 + 2 * _ENTRY_BYTES), _ENTRY_BYTES):
        tag, _, _, value = struct.unpack_from(order + "HHII", data, at)
        if tag == _SUBFILE_TYPE:
            kind = value
    return _Directory(place, next_at, next_place, not kind & _NO_PAGE)


def _alone(data: bytes, directory: _Directory) -> bytes:
    order = "<" if data.startswith(b"II") else ">"
    page = bytearray(data)
    struct.pack_into(order + "I", page, _FIRST_AT, directory.place)
    struct.pack_into(order + "I", page, directory.next_at, 0)
    return bytes(page)


def _broken(why: str) -> InvalidDocument:
    return InvalidDocument(f"This TIFF cannot be parted into pages: {why}. Save it again, or send a PDF.")
