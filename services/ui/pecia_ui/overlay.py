"""Boxes on a picture. Also the program that decodes the picture: `python -m pecia_ui.overlay`.

Pictures come from strangers, so they are opened only in this program, in a process of its own with no
secrets (see `pecia_ui.drawing`): it reads one line of JSON and the picture from stdin, and writes the
finished picture to stdout.
"""

import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from itertools import pairwise
from typing import Any

from pecia_wall import Limits, Wall
from pecia_wall.calls import DRAWING_BLIND
from PIL import Image, ImageDraw, ImageFont, ImageOps

from pecia_ui.palette import CONFIDENT, DOUBTFUL, HALO

Point = tuple[float, float]

# What the service reads; Pillow's other readers stay out of reach.
_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
_MAX_PIXELS = 100_000_000
_MAX_MEMORY_BYTES = 2 * 1024**3
_MAX_CPU_S = 60
_FILL_ALPHA = 36
_JPEG_QUALITY = 90
# Pixels around a number, both sides together; and the least height of a number.
_TAG_MARGIN = 6
_LEAST_TAG = 11
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
# Quarter turns clockwise; PIL counts the other way round.
_TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to draw: its corners in pixels of the page, whether it is doubtful, its number."""

    polygon: Sequence[Point]
    doubtful: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is wanted. `page` is the size in pixels that the corners refer to, None = the picture's own.

    `turn` is in degrees clockwise; `max_side` bounds the finished picture, in pixels; `numbers` tells
    whether each box shows its number; `blank` = there is no picture, only paper.
    """

    marks: Sequence[Mark] = field(default_factory=tuple)
    page: tuple[int, int] | None = None
    turn: int = 0
    max_side: int = 1600
    numbers: bool = True
    blank: bool = False


def drawn(picture: Image.Image, sheet: Sheet) -> Image.Image:
    """The picture upright, small enough, on white, with all boxes."""
    picture, page = _upright(picture, sheet)
    canvas = _turned(_on_white(picture), sheet.turn)
    marks = [
        (mark, [_placed(point, page, canvas.size, sheet.turn) for point in mark.polygon])
        for mark in sheet.marks
    ]
    pen = _Pen(canvas, [_height(corners) for _, corners in marks])
    for mark, corners in marks:
        pen.outline(corners, DOUBTFUL if mark.doubtful else CONFIDENT, dashed=mark.doubtful)
    if sheet.numbers:
        for mark, corners in marks:
            pen.tag(corners, str(mark.number), DOUBTFUL if mark.doubtful else CONFIDENT)
    return canvas


def _upright(picture: Image.Image, sheet: Sheet) -> tuple[Image.Image, tuple[int, int]]:
    """Turn as EXIF says and shrink; also the size in pixels that corners refer to."""
    width, height = picture.size
    full_size = (height, width) if picture.getexif().get(_ORIENTATION) in _LYING else (width, height)
    wanted = (sheet.max_side, sheet.max_side)
    picture.draft("RGB", wanted)  # a JPEG is decoded small at once
    picture.thumbnail(wanted, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return ImageOps.exif_transpose(picture), sheet.page or full_size


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        picture = picture.point(lambda value: value / 256).convert("L")
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, picture).convert("RGB")
    return picture.convert("RGB")


def _turned(picture: Image.Image, turn: int) -> Image.Image:
    return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def _placed(point: Point, page: tuple[int, int], canvas: tuple[int, int], turn: int) -> Point:
    """From pixels of the page to pixels of the canvas, which is turned."""
    x, y = point[0] / page[0], point[1] / page[1]
    match turn:
        case 90:
            x, y = 1 - y, x
        case 180:
            x, y = 1 - x, 1 - y
        case 270:
            x, y = y, 1 - x
    return x * canvas[0], y * canvas[1]


class _Pen:
    """Draws in widths that suit the canvas: thin lines on small pictures, thicker ones on large."""

    def __init__(self, canvas: Image.Image, heights: Sequence[float]) -> None:
        self._draw = ImageDraw.Draw(canvas, "RGBA")
        self._size = canvas.size
        self._width = max(2, round(max(canvas.size) / 600))
        # No taller than most boxes, so that the numbers of close lines stand apart.
        fitting = statistics.median(heights) - _TAG_MARGIN if heights else 0
        self._font = ImageFont.load_default(max(_LEAST_TAG, min(max(canvas.size) / 45, fitting)))

    def outline(self, corners: Sequence[Point], colour: str, *, dashed: bool) -> None:
        """A tinted box whose edge has a white halo, so that it shows on dark and on light."""
        self._draw.polygon(corners, fill=(*_rgb(colour), _FILL_ALPHA))
        ring = [*corners, corners[0]]
        self._draw.line(ring, HALO, self._width + 2, joint="curve")
        for start, end in pairwise(ring):
            for piece in _dashes(start, end, 4.0 * self._width + 4) if dashed else [(start, end)]:
                self._draw.line(piece, colour, self._width)

    def tag(self, corners: Sequence[Point], text: str, colour: str) -> None:
        """The number, left of the box where there is room, else at its corner."""
        top = min(corners, key=lambda corner: corner[1])[1]
        left = min(corner[0] for corner in corners)
        bottom = max(corner[1] for corner in corners)
        x0, y0, x1, y1 = self._draw.textbbox((0, 0), text, self._font)
        width, height = x1 - x0 + _TAG_MARGIN, y1 - y0 + _TAG_MARGIN
        x = max(0.0, left - width - self._width - 1)
        y = min(max(0.0, (top + bottom - height) / 2), self._size[1] - height)
        self._draw.rounded_rectangle((x, y, x + width, y + height), 3, fill=colour, outline=HALO)
        self._draw.text((x + _TAG_MARGIN / 2 - x0, y + _TAG_MARGIN / 2 - y0), text, "white", self._font)


def _height(corners: Sequence[Point]) -> float:
    return max(y for _, y in corners) - min(y for _, y in corners)


def _dashes(start: Point, end: Point, step: float) -> Iterator[tuple[Point, Point]]:
    length = math.dist(start, end)
    count = max(1, round(length / step))
    for index in range(0, count, 2):
        yield _between(start, end, index / count), _between(start, end, min(1, (index + 1) / count))


def _between(start: Point, end: Point, part: float) -> Point:
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def sheet_from_json(told: dict[str, Any]) -> Sheet:
    """The way back from `dataclasses.asdict`."""
    marks = [Mark([(x, y) for x, y in one.pop("polygon")], **one) for one in told.pop("marks")]
    page = told.pop("page")
    return Sheet(marks=marks, page=tuple(page) if page else None, **told)


def paper(sheet: Sheet) -> Image.Image:
    """Blank paper in the shape of the page, no larger than it will be shown."""
    width, height = sheet.page or (1, 1)
    scale = sheet.max_side / max(width, height, 1)
    return Image.new("RGB", (max(1, round(width * scale)), max(1, round(height * scale))), "white")


def prepare() -> None:
    """Have everything loaded that opening and drawing need: later no file can be opened."""
    with BytesIO() as sheet:
        marks = [Mark([(1, 1), (9, 1), (9, 9), (1, 9)])]
        exif = Image.Exif()
        exif[_ORIENTATION] = 6
        drawn(Image.new("RGBA", (64, 64)), Sheet(marks)).save(sheet, "JPEG", quality=_JPEG_QUALITY, exif=exif)
        for name in _FORMATS:
            import_module(f"PIL.{'WebP' if name == 'WEBP' else name.title()}ImagePlugin")
        import_module("PIL.MpoImagePlugin")
        with Image.open(sheet, formats=_FORMATS) as picture:
            _upright(picture, Sheet())


def main() -> None:
    """One picture in, one picture out; what cannot be read ends the process with status 1."""
    prepare()
    Wall(DRAWING_BLIND).enter()
    Limits(_MAX_MEMORY_BYTES, _MAX_CPU_S).apply()
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS // 2  # PIL refuses at twice this
    sheet = sheet_from_json(json.loads(sys.stdin.buffer.readline()))
    data = sys.stdin.buffer.read()
    with paper(sheet) if sheet.blank else Image.open(BytesIO(data), formats=_FORMATS) as picture:
        finished = drawn(picture, sheet)
    finished.save(sys.stdout.buffer, "JPEG", quality=_JPEG_QUALITY)


if __name__ == "__main__":
    main()
