"""Whether a drawn sign looks like the letter or digit it says it is.

The signs of PDFium's own fonts (sans, serif and typewriter, each upright, bold and slanted) are the
measure. A sign is brought to one height, made black and white, and compared bit by bit.
"""

from functools import cache, lru_cache

import pypdfium2 as pdfium
from PIL import Image

from pecia_core.pdf import maker
from pecia_core.pdf.characters import characters

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FACES = (
    *("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    *("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    *("Courier", "Courier-Bold", "Courier-Oblique"),
)
_HEIGHT, _WIDTH = 16, 24
# Grey levels of the faintest part of a stroke that counts for its extent.
_FAINT = 64
_LEVELS = range(256)
_STROKES = [255 * (level >= _FAINT) for level in _LEVELS]
# Points of the signs on the sheet they are learnt from, and of the square each stands in.
_SIZE, _SQUARE = 30, 48
_MOST = 10_000


def signature(picture: Image.Image) -> int | None:
    """The sign in this grey picture, light on black, as bits; None where there is none."""
    extent = picture.point(_STROKES).getbbox()
    if extent is None:
        return None
    sign = picture.crop(extent)
    width = max(1, min(_WIDTH, round(_HEIGHT * sign.width / sign.height)))
    sign = sign.resize((width, _HEIGHT), Image.Resampling.BILINEAR)
    canvas = Image.new("L", (_WIDTH, _HEIGHT))
    canvas.paste(sign, ((_WIDTH - width) // 2, 0))
    _, brightest = sign.getextrema()
    assert isinstance(brightest, int | float)  # noqa: S101  a grey picture has one band
    return int.from_bytes(canvas.point(_brighter_than(brightest / 2), "1").tobytes())


@cache
def _brighter_than(middle: float) -> list[int]:
    """Black or white for each grey level. A table: a function would be asked 256 times a sign."""
    return [255 * (level > middle) for level in _LEVELS]


def prepare() -> None:
    """Learn the looks of all signs now, for all processes that are forked from this one."""
    _looks()


@lru_cache(maxsize=20_000)
def doubt(sign: int, claim: str) -> int:
    """How many bits (of 384) nearer the sign is to another digit or letter than to what it claims to be.

    Negative: it is what it says. Digits are compared with digits and letters with letters, where the
    size of a letter does not matter.
    """
    apart = {
        other: min((sign ^ look).bit_count() for look in looks)
        for other, looks in _looks().items()
        if (other in DIGITS) == (claim in DIGITS)
    }
    return apart[claim] - min(bits for other, bits in apart.items() if other.lower() != claim.lower())


@cache
def _looks() -> dict[str, list[int]]:
    """Letter or digit -> how it looks in each face, and a pixel to the left and to the right."""
    found: dict[str, list[int]] = {sign: [] for sign in DIGITS + LETTERS}
    with pdfium.PdfDocument(_sheet()) as document:
        page = document[0]
        picture = page.render(scale=1, grayscale=True).to_pil().point(lambda level: 255 - level)
        for sign in characters(page, _MOST):
            if sign is not None and sign.text in found:
                left, top, right, bottom = sign.box
                box = (
                    left * picture.width,
                    top * picture.height,
                    right * picture.width,
                    bottom * picture.height,
                )
                look = signature(picture.crop((int(box[0]), int(box[1]), int(box[2]) + 1, int(box[3]) + 1)))
                found[sign.text] += [] if look is None else [look, look << 1, look >> 1]
        page.close()
    return found


def _sheet() -> bytes:
    """A PDF of one page with every sign in every face."""
    signs = DIGITS + LETTERS
    content = "\n".join(
        f"BT /F{row} {_SIZE} Tf {_SQUARE * column + 10} {_SQUARE * row + 10} Td ({sign}) Tj ET"
        for row in range(len(_FACES))
        for column, sign in enumerate(signs)
    ).encode()
    font = "/F{} << /Type /Font /Subtype /Type1 /BaseFont /{} >>"
    fonts = " ".join(font.format(row, face) for row, face in enumerate(_FACES)).encode()
    box = b"[0 0 %d %d]" % (_SQUARE * (len(signs) + 1), _SQUARE * (len(_FACES) + 1))
    resources = b"/Resources << /Font << %s >> >>" % fonts
    return maker.document(
        (
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents 4 0 R %s >>" % (box, resources),
            maker.stream(b"", content),
        )
    )
