"""Parts a TIFF of several pages into files of one page each, by its directories; no pixel is looked at.

A page's file holds its directory, what that points to, and no more. Pages packed in a way that is not
understood here come as the whole file with their directory named as its first and only one; what is
hostile is the ocr service's to find.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pecia_core.errors import InvalidDocument

_FIRST_AT = 4  # where the header names the first directory
_HEADER_BYTES = 8
_ENTRY_BYTES = 12
_IN_PLACE = 4  # bytes of a value that stand in the entry itself
_SUBFILE_TYPE = 254
# Smaller copies of another page, and masks.
_NO_PAGE = 0b101
# Directories that are no pages, at most: some, and some more for each page.
_OTHERS, _OTHERS_PER_PAGE = 64, 4
# Bytes of a value, by its type.
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SHORT = 3
# Where the picture's parts lie -> how long they are: strips, tiles.
_PARTS = {273: 279, 324: 325}
# Directories beside the page's own: smaller copies, and what a camera noted. Nobody asks for them.
_LEFT_OUT = {330, 34665, 34853}
# JPEG as TIFF 6 had it first, which points to its parts in ways of its own.
_OLD_JPEG = range(512, 522)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a directory; `value` is what stands in it: the value itself, or where it lies."""

    tag: int
    kind: int
    count: int
    value: bytes

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return _TYPE_BYTES.get(self.kind, 1) * self.count


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where it begins, where it names the next one, which that is (0 = none), and its lines."""

    place: int
    next_at: int
    next_place: int
    entries: tuple[_Entry, ...]

    def is_page(self, order: str) -> bool:
        """Whether it is a page of its own."""
        kinds = (entry.value for entry in self.entries if entry.tag == _SUBFILE_TYPE)
        return not any(struct.unpack(order + "I", kind)[0] & _NO_PAGE for kind in kinds)


class _File:
    """Reads from bytes or a file, wherever in it, and nothing beyond its end."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.size = source.seek(0, os.SEEK_END)
        start = self.read(0, 2)
        self.order = "<" if start == b"II" else ">"

    def read(self, place: int, size: int) -> bytes:
        """Raises struct.error where it leads out of the file."""
        if place + size > self.size:
            raise struct.error
        self._source.seek(place)
        return self._source.read(size)

    def numbers(self, entry: _Entry) -> tuple[int, ...]:
        """The values of an entry of whole numbers."""
        data = self.values(entry)
        return struct.unpack(f"{self.order}{entry.count}{'H' if entry.kind == _SHORT else 'I'}", data)

    def values(self, entry: _Entry) -> bytes:
        """The bytes of an entry's values, wherever they are."""
        if entry.size <= _IN_PLACE:
            return entry.value[: entry.size]
        return self.read(struct.unpack(self.order + "I", entry.value)[0], entry.size)


class Tiff:
    """A TIFF with its pages found; only directories are read for that, whatever the file's size."""

    def __init__(self, file: bytes | Path | BinaryIO, most: int) -> None:
        """Find up to `most` + 1 pages; however many more there are costs nothing.

        Args:
            file: bytes, or a file that is read where it lies: by path, or open and moved by nobody else.
            most: pages that are wanted.

        Raises:
            InvalidDocument: a directory after the first cannot be read, one comes twice, or far more of
                them are copies and masks than pages are wanted.
            OSError: the file cannot be read.
        """
        self._file = file
        with self._opened() as source:
            self._pages = _pages(_File(source), most)

    @property
    def page_count(self) -> int:
        """Pages found: `most` + 1 where there are more than `most`, 1 where the first cannot be read."""
        return max(1, len(self._pages))

    def page(self, index: int) -> bytes:
        """One page as a file of its own, by index from 0; no more of the file is read than is needed.

        A file whose first directory cannot be read comes back as it is: the ocr service finds the words.
        """
        with self._opened() as source:
            file = _File(source)
            if not self._pages:
                return file.read(0, file.size)
            directory = self._pages[index]
            try:
                return _compact(file, directory) or _whole(file, directory)
            except struct.error:
                return _whole(file, directory)

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        if isinstance(self._file, bytes):
            return nullcontext(BytesIO(self._file))
        return self._file.open("rb") if isinstance(self._file, Path) else nullcontext(self._file)


def pages(data: bytes, most: int) -> list[bytes]:
    """One TIFF a page, `most` + 1 where there are more than `most`.

    Raises:
        InvalidDocument: as `Tiff`.
    """
    tiff = Tiff(data, most)
    return [tiff.page(index) for index in range(tiff.page_count)]


def _pages(file: _File, most: int) -> list[_Directory]:
    found: list[_Directory] = []
    others = _OTHERS + _OTHERS_PER_PAGE * most
    for number, directory in enumerate(_directories(file)):
        if directory.is_page(file.order):
            found.append(directory)
        if len(found) > most:
            break
        if number - len(found) >= others:
            raise _broken(f"more than {others} of its directories are copies and masks")
    return found


def _directories(file: _File) -> Iterator[_Directory]:
    seen: set[int] = set()
    place = 0
    if file.size >= _HEADER_BYTES:
        (place,) = struct.unpack(file.order + "I", file.read(_FIRST_AT, 4))
    while place:
        try:
            directory = _directory(file, place)
        except struct.error:
            if not seen:
                return
            raise _broken("its list of pages leads out of the file") from None
        seen.add(place)
        yield directory
        place = directory.next_place
        if place in seen:
            raise _broken("its list of pages leads back to a former page")


def _directory(file: _File, place: int) -> _Directory:
    """Raises struct.error where it leads out of the file."""
    (count,) = struct.unpack(file.order + "H", file.read(place, 2))
    next_at = place + 2 + count * _ENTRY_BYTES
    lines = file.read(place + 2, count * _ENTRY_BYTES)
    (next_place,) = struct.unpack(file.order + "I", file.read(next_at, 4))
    entries = tuple(_Entry(*line) for line in struct.iter_unpack(file.order + "HHI4s", lines))
    return _Directory(place, next_at, next_place, entries)


def _compact(file: _File, directory: _Directory) -> bytes | None:
    """Only what the page is made of, or None where that is not known.

    Raises struct.error where it leads out of the file.
    """
    entries = {entry.tag: entry for entry in directory.entries if entry.tag not in _LEFT_OUT}
    found = [tag for tag in _PARTS if tag in entries and _PARTS[tag] in entries]
    if len(found) != 1 or any(tag in _OLD_JPEG for tag in entries):
        return None
    places, sizes = file.numbers(entries[found[0]]), file.numbers(entries[_PARTS[found[0]]])
    # Parts may be named more than once; a page is never made longer than the file.
    if len(places) != len(sizes) or sum(sizes) > file.size:
        return None
    values = {tag: file.values(entry) for tag, entry in entries.items() if tag != found[0]}
    start = _HEADER_BYTES + 2 + len(entries) * _ENTRY_BYTES + 4
    new_places, body = [], bytearray()
    for place, size in zip(places, sizes, strict=True):
        new_places.append(start + len(body))
        body += file.read(place, size)
        body += b"\0" * (len(body) % 2)
    values[found[0]] = struct.pack(f"{file.order}{len(new_places)}I", *new_places)
    kinds = {tag: 4 if tag == found[0] else entry.kind for tag, entry in entries.items()}
    lines = bytearray()
    for tag, entry in sorted(entries.items()):
        value = values[tag]
        if len(value) > _IN_PLACE:
            body += b"\0" * (len(body) % 2)
            place_of = struct.pack(file.order + "I", start + len(body))
            body += value
            value = place_of
        lines += struct.pack(file.order + "HHI4s", tag, kinds[tag], entry.count, value)
    if len(body) > 2 * file.size:
        return None
    head = file.read(0, _FIRST_AT) + struct.pack(file.order + "IH", _HEADER_BYTES, len(entries))
    return bytes(head + lines + bytes(4) + body)


def _whole(file: _File, directory: _Directory) -> bytes:
    """The whole file with this directory as its only one."""
    page = bytearray(file.read(0, file.size))
    struct.pack_into(file.order + "I", page, _FIRST_AT, directory.place)
    struct.pack_into(file.order + "I", page, directory.next_at, 0)
    return bytes(page)


def _broken(why: str) -> InvalidDocument:
    return InvalidDocument(f"This TIFF cannot be parted into pages: {why}. Save it again, or send a PDF.")
