"""Boxes on pictures, and the program that draws them."""

import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from pecia_ui.drawing import CannotDraw, Easel, sheet_of
from pecia_ui.overlay import Mark, Sheet, drawn
from pecia_ui.palette import CONFIDENT, DOUBTFUL
from pecia_ui.reading import Reading
from pecia_ui.testing.gateway import page
from PIL import Image, ImageChops

BOX = ((100.0, 100.0), (300.0, 100.0), (300.0, 160.0), (100.0, 160.0))
ORIENTATION = 0x0112


def encoded(picture: Image.Image, kind: str = "PNG", orientation: int = 1) -> bytes:
    """The picture's bytes, with an EXIF orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = BytesIO()
    picture.save(buffer, kind, exif=exif)
    return buffer.getvalue()


def reopened(data: bytes) -> Image.Image:
    """As the ocr service would open it."""
    return Image.open(BytesIO(data))


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    """The smallest rectangle around all pixels that differ clearly."""
    difference = ImageChops.difference(before.convert("RGB"), after).convert("L")
    return difference.point(lambda value: 255 if value > 12 else 0).getbbox()


@pytest.mark.parametrize("paper", ["white", "black", "#1d5fd0", "#888888"])
@pytest.mark.parametrize("doubtful", [False, True])
def test_a_box_shows_on_any_paper_and_only_where_it_is(paper: str, *, doubtful: bool) -> None:
    """Halo and line differ from every paper; pixels away from the box stay."""
    before = Image.new("RGB", (400, 300), paper)
    after = drawn(before.copy(), Sheet([Mark(BOX, doubtful=doubtful)], numbers=False))
    area = changed(before, after)
    assert area is not None
    assert all(abs(found - told) <= 4 for found, told in zip(area, (100, 100, 300, 160), strict=True))


def test_doubtful_boxes_have_another_colour_and_gaps() -> None:
    """Colour alone would leave some people out: the edge is dashed as well."""
    paper = Image.new("RGB", (400, 300), "white")
    sure = drawn(paper.copy(), Sheet([Mark(BOX)], numbers=False))
    doubtful = drawn(paper.copy(), Sheet([Mark(BOX, doubtful=True)], numbers=False))
    top = [tuple(doubtful.getpixel((x, 100))) for x in range(110, 290)]  # type: ignore[arg-type]
    assert all(sure.getpixel((x, 100)) == _rgb(CONFIDENT) for x in range(110, 290))
    assert 0.2 < top.count(_rgb(DOUBTFUL)) / len(top) < 0.8


def test_numbers_stand_left_of_their_boxes() -> None:
    """They do not hide the text."""
    paper = Image.new("RGB", (400, 300), "white")
    plain = drawn(paper.copy(), Sheet([Mark(BOX, number=12)], numbers=False))
    numbered = drawn(paper.copy(), Sheet([Mark(BOX, number=12)]))
    area = changed(plain, numbered)
    assert area is not None
    assert area[2] <= 100


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_meet_the_text_of_pictures_with_an_exif_orientation(orientation: int) -> None:
    """Corners refer to the picture after its EXIF turn, and that is what is shown."""
    upright = Image.new("RGB", (400, 300), "white")
    upright.paste("black", (100, 100, 300, 160))
    stored = _stored(upright, orientation)
    shown = drawn(reopened(encoded(stored, orientation=orientation)), Sheet([Mark(BOX)], numbers=False))
    assert shown.size == (400, 300)
    inside = shown.getpixel((200, 130))
    assert isinstance(inside, tuple)
    assert max(inside) < 60
    assert shown.getpixel((50, 50)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_large_picture_is_shown_small_with_its_boxes_in_place(kind: str) -> None:
    """Corners are in pixels of the large one."""
    large = Image.new("RGB", (4000, 3000), "white")
    corners = [(x * 10, y * 10) for x, y in BOX]
    shown = drawn(
        reopened(encoded(large, kind)), Sheet([Mark(corners)], (4000, 3000), max_side=400, numbers=False)
    )
    assert shown.size == (400, 300)
    area = changed(Image.new("RGB", (400, 300), "white"), shown)
    assert area is not None
    assert all(abs(found - told) <= 4 for found, told in zip(area, (100, 100, 300, 160), strict=True))


@pytest.mark.parametrize(
    ("turn", "size", "expected"),
    [
        (90, (300, 400), (140, 100, 200, 300)),
        (180, (400, 300), (100, 140, 300, 200)),
        (270, (300, 400), (100, 100, 160, 300)),
    ],
)
def test_a_page_that_was_read_turned_is_shown_turned(
    turn: int, size: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    """`turn` is clockwise; boxes turn with the picture."""
    upright = Image.new("RGB", (400, 300), "white")
    shown = drawn(upright, Sheet([Mark(BOX)], turn=turn, numbers=False))
    assert shown.size == size
    area = changed(Image.new("RGB", size, "white"), shown)
    assert area is not None
    assert all(abs(found - told) <= 4 for found, told in zip(area, expected, strict=True))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_pixel_can_be_shown(mode: str) -> None:
    """Scanners and editors write all of these; grey stays grey."""
    value = {"I;16": 128 * 256, "I": 128 * 256}.get(mode, 128)
    picture = (
        Image.new("L", (60, 40), 128).convert(mode)
        if mode not in ("I;16", "I", "F")
        else Image.new(mode, (60, 40), value)
    )
    shown = drawn(picture, Sheet())
    assert shown.mode == "RGB"
    pixel = shown.getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert mode == "1" or all(abs(channel - 128) <= 3 for channel in pixel)


def test_what_is_transparent_is_white() -> None:
    """As paper is; black text on nothing would be black on black."""
    assert drawn(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), Sheet()).getpixel((5, 5)) == (255, 255, 255)


def test_the_child_process_draws_the_same_picture() -> None:
    """The way through JSON and back loses nothing."""
    paper = Image.new("RGB", (400, 300), "white")
    sheet = Sheet((Mark(BOX, doubtful=True, number=3),), (400, 300))
    apart = reopened(Easel().drawn(encoded(paper), sheet))
    difference = ImageChops.difference(apart.convert("RGB"), drawn(paper.copy(), sheet)).convert("L")
    assert apart.format == "JPEG"
    assert sum(difference.histogram()[48:]) < 100


@pytest.mark.parametrize("data", [b"", b"no picture", encoded(Image.new("L", (50, 50)))[:60]])
def test_what_is_no_picture_cannot_be_drawn(data: bytes) -> None:
    """The page says so instead of failing."""
    with pytest.raises(CannotDraw):
        Easel().drawn(data, Sheet())


def test_a_decompression_bomb_cannot_be_drawn() -> None:
    """A small file of 900 million pixels is refused by its header, in the child."""
    with pytest.raises(CannotDraw):
        Easel().drawn(bomb(30_000), Sheet())


def test_the_child_sees_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys live in the environment; a decoder with a hole must not find them."""
    spy = tmp_path / "python"
    spy.write_text('#!/bin/sh\nenv | grep -c "PECIA" >&2 && exit 1\nprintf clean\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PECIA_API__KEY", "secret")
    monkeypatch.setattr(sys, "executable", str(spy))
    assert Easel().drawn(b"", Sheet()) == b"clean"


def test_a_reading_becomes_numbered_marks() -> None:
    """In reading order from 1, doubtful below the threshold, with the page's size and turn."""
    told = page(["a", "b", "c"]) | {"rotation": 90}
    sheet = sheet_of(Reading.from_stream("a\nb\nc", {"pages": [told]}, ""), 0.8, numbers=True)
    assert [(mark.number, mark.doubtful) for mark in sheet.marks] == [(1, False), (2, False), (3, True)]
    assert (sheet.page, sheet.turn) == ((800, 600), 90)


def test_a_reading_without_pages_has_no_marks() -> None:
    """Another service may answer without the extension."""
    assert sheet_of(Reading("text"), 0.8, numbers=True).marks == ()


def bomb(side: int) -> bytes:
    """A PNG of side x side pixels, all the same, in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(4096)))
        + chunk(b"IEND", b"")
    )


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _stored(upright: Image.Image, orientation: int) -> Image.Image:
    """The pixels a camera stores so that the EXIF orientation makes them upright."""
    transpose = Image.Transpose
    undo = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_90,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_270,
    }
    return upright.transpose(undo[orientation]) if orientation in undo else upright


def test_pictures_wait_for_a_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Many visitors at once must not open many large pictures at once."""
    slow = tmp_path / "python"
    slow.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/busy || exit 1\nsleep 0.2\nrmdir {tmp_path}/busy\nprintf done\n"
    )
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    easel = Easel(places=1)
    with ThreadPoolExecutor(4) as visitors:
        drawings = list(visitors.map(lambda _: easel.drawn(b"", Sheet()), range(4)))
    assert drawings == [b"done"] * 4
