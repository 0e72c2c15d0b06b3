"""Hostile pictures: bombs, lies about sizes, wrong names; and honest ones to spoil."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image, ImageDraw

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def honest(name: str, size: tuple[int, int] = (160, 120), **options: object) -> bytes:
    """A small page in a format."""
    picture = Image.new("RGB", size, "white")
    drawing = ImageDraw.Draw(picture)
    for row in range(0, size[1], 24):
        drawing.text((10, row), f"TOTAL {row * 1250} {'x' * (row // 9)}", "black")
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def seeds() -> dict[str, bytes]:
    """Honest files of every format and of the ways they can be packed."""
    exif = Image.Exif()
    exif[0x0112] = 6
    found = {name.lower(): honest(name) for name in FORMATS}
    found["jpeg progressive"] = honest("JPEG", progressive=True, exif=exif)
    found["webp lossless"] = honest("WEBP", lossless=True)
    for way in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg", "group4"):
        if way == "group4":
            buffer = io.BytesIO()
            Image.new("1", (160, 120), 1).save(buffer, "TIFF", compression=way)
            found[f"tiff {way}"] = buffer.getvalue()
        else:
            found[f"tiff {way}"] = honest("TIFF", compression=way)
    return found


def bombs() -> Iterator[tuple[str, bytes]]:
    """A few bytes that claim or unpack to very many pixels."""
    yield "png of zeros", _png(9_900, 9_900, zlib.compress(bytes(9_901 * 9_900 * 3 // 8), 9), depth=1)
    yield "png that claims the most", _png(2**31 - 1, 2**31 - 1, b"")
    yield "png that claims a little less than too much", _png(10_000, 9_999, zlib.compress(b"\0" * 1000))
    yield "png with an endless profile", _png(9, 9, zlib.compress(bytes(40)), extra=_profile(64))
    for name in ("JPEG", "WEBP", "BMP", "TIFF"):
        yield f"{name} of white", _white(name)
    jpeg = honest("JPEG")
    place = jpeg.index(b"\xff\xc0") + 5
    yield "jpeg that claims the most", jpeg[:place] + b"\xff\xff\xff\xff" + jpeg[place + 4 :]
    yield (
        "jpeg of two sizes",
        jpeg[:2] + b"\xff\xc0\0\x11\x08\0\x08\0\x08\3\1\x22\0\2\x11\1\3\x11\1" + jpeg[2:],
    )
    yield "jpeg of a million scans", jpeg[:-2] + jpeg[jpeg.index(b"\xff\xda") : -2] * 300 + b"\xff\xd9"
    yield (
        "bmp that claims the most",
        b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 2**31 - 1, -(2**31), 1, 24),
    )
    yield "bmp of runs without end", _bmp_runs()
    yield "webp that claims the most", b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 12
    yield "tiff whose list leads back", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"
    yield "tiff of strips without end", _tiff(2**31 - 1)
    yield "tiff of 65,535 entries", b"II*\0\x08\0\0\0\xff\xff" + bytes(12 * 100)


def misnamed() -> Iterator[tuple[str, bytes]]:
    """Bytes that begin like one thing and are another."""
    heads = {name: data[:16] for name, data in seeds().items()}
    for name, head in heads.items():
        for other in ("png", "jpeg", "tiff", "webp", "bmp"):
            if not name.startswith(other):
                yield f"{name} that is {other}", head + seeds()[other]
    for name in (
        "GIF89a",
        "8BPS\0\1",
        "SIMPLE  =",
        "%!PS-Adobe-3.0 EPSF-3.0\n",
        "\0\0\0\x0cjP  \r\n\x87\n",
        "DDS ",
    ):
        yield f"{name[:4]!r} that nobody reads", name.encode("latin-1") + bytes(500)


def _white(name: str) -> bytes:
    buffer = io.BytesIO()
    options = {"compression": "tiff_deflate"} if name == "TIFF" else {}
    Image.new("1" if name in ("BMP", "TIFF") else "L", (4_000, 3_000), 1).save(buffer, name, **options)
    return buffer.getvalue()


def _png(width: int, height: int, data: bytes, depth: int = 8, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, 0 if depth == 1 else 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _profile(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    return _chunk(b"iCCP", b"bomb\0\0" + packed) + _chunk(b"zTXt", b"bomb\0\0" + packed)


def _bmp_runs() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, 5_000, 5_000, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + bytes(1024) + b"\0\2\0\0" * 50_000


def _tiff(rows: int) -> bytes:
    entries: tuple[tuple[int, int, int, int], ...] = (
        (256, 4, 1, 9_000),
        (257, 4, 1, 9_000),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
    )
    entries += ((273, 4, 1, 8), (278, 4, 1, rows), (279, 4, 1, rows))
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)
