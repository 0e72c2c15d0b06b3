"""What PDFium says stands on a page: characters with their boxes, and the objects they come from."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import cos, hypot, sin
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

# The device that places are asked for on, so fine that its whole numbers are exact enough.
_FINE = 1 << 24
# Points between the places that the mapping is taken from.
_FAR = 1000
# A line that runs this close to level is level: the cosine of 10 degrees.
_LEVEL = 0.985
# Forms inside forms inside forms: deeper than any honest page.
_DEPTH = 12
_LINE_ENDS = (0x0A, 0x0D)
# Two halves make one sign.
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)
_UNKNOWN = 0xFFFD


class TooMuch(Exception):
    """More characters or objects than a page has."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Points of the page as PDF counts them -> places on the page as shown, 0 to 1, y down."""

    origin: tuple[float, float]
    along_x: tuple[float, float]
    along_y: tuple[float, float]

    @classmethod
    def of(cls, page: pdfium.PdfPage) -> "Mapping":
        """As PDFium draws the page: turned and cropped."""
        x0, y0 = _on_device(page, 0, 0)
        x1, y1 = _on_device(page, _FAR, 0)
        x2, y2 = _on_device(page, 0, _FAR)
        along_x, along_y = ((x1 - x0) / _FAR, (y1 - y0) / _FAR), ((x2 - x0) / _FAR, (y2 - y0) / _FAR)
        return cls((x0, y0), along_x, along_y)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is."""
        return (
            self.origin[0] + x * self.along_x[0] + y * self.along_y[0],
            self.origin[1] + x * self.along_x[1] + y * self.along_y[1],
        )


Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Character:
    """One sign.

    Attributes:
        text: what its font says it is.
        box: of what is drawn, (left, top, right, bottom), 0 to 1 of the page as shown.
        level: it stands upright on a line that runs to the right.
        damaged: its font does not say what it is.
    """

    text: str
    box: Box
    level: bool
    damaged: bool


def characters(page: pdfium.PdfPage, most: int) -> list[Character | None]:
    """In the order of the page's program; None where PDFium sees the end of a line.

    Raises:
        TooMuch: there are more than `most`.
    """
    textpage = page.get_textpage()
    try:
        count = textpage.count_chars()
        if count > most:
            raise TooMuch
        width, height = page.get_size()
        reader = _Reader(textpage, Mapping.of(page), width, height)
        return [found for index in range(count) for found in reader.at(index)]
    finally:
        textpage.close()


class _Reader:
    """Asks PDFium about one character after the other."""

    def __init__(self, textpage: pdfium.PdfTextPage, mapping: Mapping, width: float, height: float) -> None:
        self._textpage = textpage
        self._mapping = mapping
        self._size = (width, height)
        self._edges = tuple(ctypes.c_double() for _ in range(4))
        self._places = tuple(map(ctypes.byref, self._edges))
        self._high = 0

    def at(self, index: int) -> list[Character | None]:
        code = pdfium_c.FPDFText_GetUnicode(self._textpage, index)
        if code in _LINE_ENDS:
            return [None]
        if code in _HIGH:
            self._high = code
            return []
        if code in _LOW:
            code = (
                0x10000 + ((self._high - _HIGH.start) << 10) + (code - _LOW.start) if self._high else _UNKNOWN
            )
            self._high = 0
        pdfium_c.FPDFText_GetCharBox(self._textpage, index, *self._places)
        left, right, bottom, top = (edge.value for edge in self._edges)
        one, other = self._mapping.place(left, bottom), self._mapping.place(right, top)
        box = (min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1]))
        angle = pdfium_c.FPDFText_GetCharAngle(self._textpage, index)
        damaged = bool(pdfium_c.FPDFText_HasUnicodeMapError(self._textpage, index))
        return [Character(chr(code), box, self._is_level(angle), damaged)]

    def _is_level(self, angle: float) -> bool:
        # PDFium counts angles clockwise.
        x, y = cos(angle), -sin(angle)
        across = (x * self._mapping.along_x[0] + y * self._mapping.along_y[0]) * self._size[0]
        down = (x * self._mapping.along_x[1] + y * self._mapping.along_y[1]) * self._size[1]
        return across > _LEVEL * hypot(across, down)


def drawn_objects(page: pdfium.PdfPage, most: int) -> Iterator[tuple[Any, int]]:
    """Everything that is drawn, with its FPDF_PAGEOBJ_* type, forms opened, in the order of drawing.

    Raises:
        TooMuch: there are more than `most`.
    """
    everything = _inside(pdfium_c.FPDFPage_CountObjects, pdfium_c.FPDFPage_GetObject, page, 0)
    for number, found in enumerate(everything):
        if number >= most:
            raise TooMuch
        yield found


def _inside(
    count: Callable[[Any], int],
    get: Callable[[Any, int], Any],
    parent: object,
    depth: int,
) -> Iterator[tuple[Any, int]]:
    for index in range(count(parent)):
        found = get(parent, index)
        kind = pdfium_c.FPDFPageObj_GetType(found)
        yield found, kind
        if kind == pdfium_c.FPDF_PAGEOBJ_FORM and depth < _DEPTH:
            inner = (pdfium_c.FPDFFormObj_CountObjects, pdfium_c.FPDFFormObj_GetObject)
            yield from _inside(*inner, found, depth + 1)


def _on_device(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDF_PageToDevice(page, 0, 0, _FINE, _FINE, 0, x, y, ctypes.byref(across), ctypes.byref(down))
    return across.value / _FINE, down.value / _FINE
