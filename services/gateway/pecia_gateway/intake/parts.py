"""The parts of a multipart body, taken apart as it arrives.

Pictures stay in memory, off the disk; the one long document of a job is written away while it comes.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_BOUNDARY = 200
_SPILL_BYTES = 1 << 20
_HEAD_BYTES = 4096


class BrokenBody(Exception):
    """Not what multipart/form-data looks like; the message says where."""


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Bounds of a body's parts. A file is kept up to one byte over its limit: who asks can see that."""

    max_parts: int
    max_file_bytes: int
    max_field_bytes: int


class Spill:
    """The file that a body may hold, written away as it comes: a MiB of it is in memory, no more.

    Attributes:
        size: bytes so far.
        head: its first bytes, by which its kind is known.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Write to `file`, which is the caller's."""
        self._file = file
        self._digest = sha256()
        self.size = 0
        self.head = b""

    @property
    def sha256(self) -> str:
        """Of all bytes so far, hexadecimal."""
        return self._digest.hexdigest()

    async def take(self, data: bytearray) -> None:
        """Write `data` away and leave it empty. In a thread: a disk may be slow."""
        taken = bytes(data)
        data.clear()
        self.head += taken[: _HEAD_BYTES - len(self.head)]
        self.size += len(taken)
        await asyncio.to_thread(self._write, taken)

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


@dataclass(slots=True)
class Part:
    """One part. `filename` is None for a text field; `media_type` is what its sender says.

    `size` counts what was kept; `data` holds it, unless it was spilled.
    """

    name: str = ""
    filename: str | None = None
    media_type: str = ""
    data: bytearray = field(default_factory=bytearray)
    size: int = 0


async def read_parts(
    content_type: str, chunks: AsyncIterator[bytes], limits: PartLimits, spill: Spill | None = None
) -> list[Part]:
    """Every part, in the order they came.

    Args:
        content_type: of the whole body, with its boundary.
        chunks: the body.
        limits: what is kept at most.
        spill: where the bytes of the only file go; None = files stay in memory.

    Raises:
        BrokenBody: it cannot be taken apart, or has too many parts.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise BrokenBody("its Content-Type names no boundary")
    assembly = _Assembly(limits, one_file=spill is not None)
    try:
        parser = MultipartParser(boundary, assembly.callbacks())
        async for chunk in chunks:
            parser.write(chunk)
            if spill is not None:
                await assembly.spill(spill, _SPILL_BYTES)
    except FormParserError as error:
        raise BrokenBody("a boundary or header is not where it should be") from error
    if not assembly.complete:
        raise BrokenBody("it ends in the middle")
    if spill is not None:
        await assembly.spill(spill, 1)
    return assembly.parts


class _Assembly:
    """What the parser has told so far."""

    def __init__(self, limits: PartLimits, *, one_file: bool) -> None:
        self._limits = limits
        self._one_file = one_file
        self._file: Part | None = None
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}
        self.parts: list[Part] = []
        self.complete = False

    async def spill(self, spill: Spill, least: int) -> None:
        """Write the file's bytes away where there are so many."""
        if self._file is not None and len(self._file.data) >= least:
            await spill.take(self._file.data)

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        if len(self.parts) >= self._limits.max_parts:
            raise BrokenBody(f"it has more than {self._limits.max_parts} parts")
        self._headers.clear()
        self.parts.append(Part())

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        if b"name" not in options:
            raise BrokenBody("a part has no name")
        part = self.parts[-1]
        part.name = options[b"name"].decode("utf-8", "replace")
        part.media_type = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        if b"filename" in options:
            part.filename = options[b"filename"].decode("utf-8", "replace")
            if self._one_file and self._file is not None:
                raise BrokenBody("it holds more than one file")
            self._file = part

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        if part.filename is None:
            part.data += data[start:end]
            if len(part.data) > self._limits.max_field_bytes:
                raise BrokenBody(f"a text field has more than {self._limits.max_field_bytes:,} bytes")
            return
        room = self._limits.max_file_bytes + 1 - part.size
        kept = data[start : min(end, start + room)]
        part.data += kept
        part.size += len(kept)

    def _on_end(self) -> None:
        self.complete = True
