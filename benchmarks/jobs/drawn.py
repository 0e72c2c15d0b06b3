"""Long documents the project draws itself: each page shows its number as bars, which survive a JPEG."""

import io
import zlib
from collections.abc import Iterable

from PIL import Image

_BITS = 16
_SIDE = 72.0  # points: an inch, so that a page is small at any resolution
_BAR = _SIDE / _BITS
_HALF = 128


def document(pages: int) -> bytes:
    """A PDF of pages of an inch square; page n shows n in bars, the highest bit left, black = one."""
    return pdf(content_of(number) for number in range(1, pages + 1))


def pdf(contents: Iterable[bytes]) -> bytes:
    """A PDF with one page for each stream of drawing commands."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    box = b"[0 0 %d %d]" % (_SIDE, _SIDE)
    for content in contents:
        kids.append(len(objects) + 1)
        number = len(objects) + 2
        page = b"<< /Type /Page /Parent 2 0 R /Resources << >> /MediaBox %s /Contents %d 0 R >>"
        objects.append(page % (box, number))
        packed = zlib.compress(content)
        head = b"<< /Length %d /Filter /FlateDecode >>" % len(packed)
        objects.append(head + b"\nstream\n" + packed + b"\nendstream")
    references = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (references, len(kids))
    return _file(objects)


def number_of(picture: bytes) -> int:
    """The number a page shows."""
    with Image.open(io.BytesIO(picture)) as opened:
        gray = opened.convert("L")
    width, height = gray.size
    columns = ((2 * bar + 1) * width // (2 * _BITS) for bar in range(_BITS))
    bits = ["1" if _shade(gray, column, height // 2) < _HALF else "0" for column in columns]
    return int("".join(bits), 2)


def _shade(gray: Image.Image, x: int, y: int) -> int:
    return gray.crop((x, y, x + 1, y + 1)).tobytes()[0]


def content_of(number: int) -> bytes:
    """What draws a page that shows a number."""
    bars = [
        f"{bit * _BAR:.3f} 0 {_BAR:.3f} {_SIDE:.0f} re f"
        for bit in range(_BITS)
        if number >> (_BITS - 1 - bit) & 1
    ]
    return " ".join(["0 g", *bars]).encode()


def _file(objects: list[bytes]) -> bytes:
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    begin = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % begin)
    return out.getvalue()
