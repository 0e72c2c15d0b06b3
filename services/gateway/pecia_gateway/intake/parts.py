"""The parts of a multipart body, taken apart as it arrives. Documents stay in memory, off the disk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_BOUNDARY = 200


class BrokenBody(Exception):
    """Not what multipart/form-data looks like; the message says where."""


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Bounds of a body's parts. A file is kept up to one byte over its limit: who asks can see that."""

    max_parts: int
    max_file_bytes: int
    max_field_bytes: int


@dataclass(slots=True)
class Part:
    """One part. `filename` is None for a text field; `media_type` is what its sender says."""

    name: str = ""
    filename: str | None = None
    media_type: str = ""
    data: bytearray = field(default_factory=bytearray)


async def read_parts(content_type: str, chunks: AsyncIterator[bytes], limits: PartLimits) -> list[Part]:
    """Every part, in the order they came.

    Args:
        content_type: of the whole body, with its boundary.
        chunks: the body.
        limits: what is kept at most.

    Raises:
        BrokenBody: it cannot be taken apart, or has too many parts.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise BrokenBody("its Content-Type names no boundary")
    assembly = _Assembly(limits)
    try:
        parser = MultipartParser(boundary, assembly.callbacks())
        async for chunk in chunks:
            parser.write(chunk)
    except FormParserError as error:
        raise BrokenBody("a boundary or header is not where it should be") from error
    if not assembly.complete:
        raise BrokenBody("it ends in the middle")
    return assembly.parts


class _Assembly:
    """What the parser has told so far."""

    def __init__(self, limits: PartLimits) -> None:
        self._limits = limits
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}
        self.parts: list[Part] = []
        self.complete = False

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

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        if part.filename is None:
            part.data += data[start:end]
            if len(part.data) > self._limits.max_field_bytes:
                raise BrokenBody(f"a text field has more than {self._limits.max_field_bytes:,} bytes")
            return
        room = self._limits.max_file_bytes + 1 - len(part.data)
        part.data += data[start : min(end, start + room)]

    def _on_end(self) -> None:
        self.complete = True
