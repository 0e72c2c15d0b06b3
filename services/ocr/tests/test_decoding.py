"""Pictures of every kind, honest and hostile, to pixels or to an error a caller can act on."""

import random
import struct
import time
import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
from pecia_core.errors import InvalidDocument, PeciaError, TooLarge, UnsupportedDocument
from pecia_core.header import PictureHeader
from pecia_ocr.decoding import decode, from_raw, sniff
from PIL import Image, ImageDraw

SIZE = (40, 24)
FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF"]


def encoded(picture: Image.Image, name: str = "PNG", **options: object) -> bytes:
    """The picture's bytes."""
    buffer = BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def quartered() -> Image.Image:
    """White, with a black top-left quarter: every turn of it looks different."""
    picture = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(picture).rectangle((0, 0, SIZE[0] // 2 - 1, SIZE[1] // 2 - 1), "black")
    return picture


def corners(data: bytes) -> list[int]:
    """Brightness near the corners, clockwise from the top left."""
    pixels = decode(data)
    return [int(pixels[y, x].mean()) for y, x in ((2, 2), (2, -3), (-3, -3), (-3, 2))]


@pytest.mark.parametrize("name", FORMATS)
def test_sniffs_what_it_decodes(name: str) -> None:
    """The header tells format and size, and the pixels agree."""
    data = encoded(quartered(), name)
    assert sniff(data) == PictureHeader(name, *SIZE)
    assert decode(data).shape == (SIZE[1], SIZE[0], 3)
    assert corners(data) == pytest.approx([0, 255, 255, 255], abs=12)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"big_tiff": True}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"comment": b"x" * 60000, "icc_profile": b"y" * 200_000}),
    ],
)
def test_sniffs_the_variants_of_a_format(name: str, options: dict[str, object]) -> None:
    """Lossless, extended, compressed, big, progressive and padded files have a size, too."""
    assert sniff(encoded(quartered(), name, **options)) == PictureHeader(name, *SIZE)


def test_sniffs_a_big_endian_tiff_and_old_and_upside_down_bitmaps() -> None:
    """Byte order, header age and row order are the writer's choice."""
    entries = struct.pack(">HHHIHHHHIHHI", 2, 256, 3, 1, 40, 0, 257, 3, 1, 24, 0, 0)
    assert sniff(b"MM\0*\0\0\0\x08" + entries) == PictureHeader("TIFF", 40, 24)
    assert sniff(b"BM" + bytes(12) + struct.pack("<IHH", 12, 40, 24)) == PictureHeader("BMP", 40, 24)
    assert sniff(b"BM" + bytes(12) + struct.pack("<Iii", 40, 40, -24)) == PictureHeader("BMP", 40, 24)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_applies_the_exif_rotation(orientation: int) -> None:
    """Whatever way the camera was held, the dark quarter ends up where the picture says."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    dark = {1: 0, 2: 1, 3: 2, 4: 3, 5: 0, 6: 1, 7: 2, 8: 3}[orientation]
    data = encoded(quartered(), "JPEG", exif=exif, quality=95)
    assert corners(data).index(min(corners(data))) == dark
    assert decode(data).shape[:2] == (SIZE if orientation >= 5 else SIZE[::-1])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_the_same_colours(mode: str) -> None:
    """Black stays black and white stays white in bitmaps, palettes, print colours and 16 bits."""
    if mode in ("I;16", "I", "F"):
        depth = np.asarray(quartered().convert("L")).astype(np.float32) * 257
        picture = Image.fromarray(depth.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        picture = quartered().convert(mode)
    assert picture.mode == mode
    data = encoded(picture, "TIFF" if mode in ("CMYK", "F", "I") else "PNG")
    assert corners(data) == [0, 255, 255, 255]


def test_cmyk_jpeg_is_not_inverted() -> None:
    """The way print programs write them, white paper is white."""
    assert corners(encoded(quartered().convert("CMYK"), "JPEG", quality=95)) == pytest.approx(
        [0, 255, 255, 255], abs=12
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white_paper(mode: str) -> None:
    """Black ink on nothing is readable, not black on black."""
    assert decode(encoded(Image.new(mode, SIZE))).min() == 255


def test_a_transparent_palette_colour_shows_white_paper() -> None:
    """The same for pictures with a palette."""
    picture = Image.new("P", SIZE, 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    assert decode(encoded(picture, transparency=0)).min() == 255


def test_reads_the_first_frame_of_a_tiff() -> None:
    """Further frames are further pages, which is a job, not a picture."""
    pages = [Image.new("L", SIZE, shade) for shade in (10, 20, 30)]
    assert decode(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])).max() == 10


def test_rows_beyond_one_band_are_copied_too() -> None:
    """Pixels are handed over in bands; the last, incomplete one is not lost."""
    column = np.arange(700, dtype=np.uint16).astype(np.uint8)
    picture = Image.fromarray(np.repeat(column[:, None], 3, axis=1))
    assert (decode(encoded(picture))[:, 0, 0] == column).all()


def test_no_bytes_are_their_own_error() -> None:
    """An upload that went wrong is told apart from a damaged picture."""
    for read in (sniff, decode):
        with pytest.raises(InvalidDocument) as caught:
            read(b"")
        assert caught.value.code == "empty_image_file"


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"<!doctype html>",
        b"GIF89a" + bytes(30),
        b"\0\0\0\x18ftypheic" + bytes(30),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"PK\x03\x04",
        b"x",
        bytes(1000),
    ],
)
def test_other_files_are_unsupported(data: bytes) -> None:
    """Pillow could open some of them, with programs and parsers nobody here asked for."""
    for read in (sniff, decode):
        with pytest.raises(UnsupportedDocument) as caught:
            read(data)
        assert caught.value.code == "unsupported_image_media_type"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_truncated_picture_is_refused(name: str, share: float) -> None:
    """Half a page would be half a text that nobody notices."""
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), name)
    with pytest.raises(InvalidDocument, match="send the original file again") as caught:
        decode(data[: max(9, int(len(data) * share))])
    assert caught.value.code == "invalid_image"


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n" + bytes(20), b"BM" + bytes(40), b"RIFF\0\0\0\0WEBPVP8L"]
)
def test_a_header_without_a_size_is_refused(data: bytes) -> None:
    """A format's first bytes alone make no picture."""
    with pytest.raises(InvalidDocument):
        sniff(data)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_001, 30_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_takes_memory(side: int) -> None:
    """A few hundred bytes that claim gigabytes cost next to nothing."""
    data = bomb(side, side)
    assert sniff(data).pixels == side * side
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as caught:
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.code == "image_too_large"


def test_the_pixel_limit_is_a_setting() -> None:
    """The service's own limit reaches the decoder."""
    data = encoded(quartered())
    assert decode(data, max_pixels=SIZE[0] * SIZE[1]).size
    with pytest.raises(TooLarge):
        decode(data, max_pixels=SIZE[0] * SIZE[1] - 1)


def test_large_pictures_below_the_limit_are_not_warned_about() -> None:
    """Pillow's own, lower limit is not ours: 95 million pixels are decoded."""
    data = encoded(Image.new("1", (19_000, 5_000), 1))
    assert decode(data).shape == (5_000, 19_000, 3)


def test_a_header_full_of_segments_costs_bounded_time() -> None:
    """Ten megabytes of empty JPEG segments do not hold up the process that looks at headers."""
    began = time.perf_counter()
    for filling in (b"\xff\xe1\x00\x02", b"\xff\xff\xff\xff", b"\xff\xe1\x00\x00"):
        with pytest.raises(InvalidDocument):
            sniff(b"\xff\xd8\xff\xe0\x00\x02" + filling * 2_500_000)
    with pytest.raises(InvalidDocument):
        sniff(b"II*\0\x08\0\0\0\xff\xff" + b"\1\0\3\0" * 2_500_000)
    assert time.perf_counter() - began < 1


def test_mutated_pictures_give_pixels_or_our_errors() -> None:
    """A thousand damaged files: nothing but the errors callers are promised comes out."""
    dice = random.Random(7)  # noqa: S311 - the same files in every run
    originals = [encoded(quartered(), name) for name in FORMATS]
    outcomes = {"pixels": 0, "errors": 0}
    for _ in range(1000):
        data = bytearray(dice.choice(originals))
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            pixels = decode(bytes(data))
        except PeciaError:
            outcomes["errors"] += 1
        else:
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] == 3
            outcomes["pixels"] += 1
    assert min(outcomes.values()) > 50


@pytest.mark.parametrize(("channels", "stride"), [(1, 0), (3, 0), (4, 0), (1, 11), (3, 32), (4, 64)])
def test_raw_pixels_are_copied_row_by_row(channels: int, stride: int) -> None:
    """Whatever the gap between rows, and with or without a gap after the last."""
    step = stride or 10 * channels
    rows = np.random.default_rng(2).integers(0, 256, (5, step), np.uint8)
    picture = rows[:, : 10 * channels].reshape(5, 10, channels).copy()
    if channels == 4:
        rows[:, 3 : 10 * channels : 4] = 255
    for data in (rows.tobytes(), rows.tobytes()[: step * 4 + 10 * channels]):
        pixels = from_raw(10, 5, channels, stride, data)
        assert (pixels == picture[:, :, :3]).all()
        assert pixels.shape == (5, 10, 3)


def test_transparent_raw_pixels_show_white_paper() -> None:
    """Alpha is mixed with white."""
    pixels = from_raw(3, 1, 4, 0, bytes([0, 0, 0, 0, 0, 0, 0, 255, 100, 200, 0, 51]))
    assert pixels.tolist() == [[[255, 255, 255], [0, 0, 0], [224, 244, 204]]]


@pytest.mark.parametrize(
    ("shape", "length"),
    [
        ((0, 5, 3, 0), 0),
        ((5, -1, 3, 0), 0),
        ((5, 5, 2, 0), 50),
        ((5, 5, 3, 0), 74),
        ((5, 5, 3, 0), 76),
        ((5, 5, 3, 14), 75),
        ((5, 5, 3, -15), 75),
        ((2**31, 2**31, 4, 0), 100),
    ],
)
def test_raw_pixels_must_fit_their_numbers(shape: tuple[int, int, int, int], length: int) -> None:
    """No shape reads outside the bytes that came."""
    with pytest.raises(InvalidDocument) as caught:
        from_raw(*shape, bytes(length))
    assert caught.value.param is not None
