"""Pages to be read: printed lines, drawn here. Needs no torch, so that callers start at once."""

import io
from random import Random

from PIL import Image, ImageDraw

_SIDES = (1240, 1754)  # A4 at 150 dpi
_SMALL_SIDES = (620, 877)
_LINE = 26
_LETTERS = "abcdefghijklmnopqrstuvwxyz     ,.0123456789"


def drawn(seed: int, sides: tuple[int, int] = _SIDES) -> Image.Image:
    """A page of chance letters in lines; other seeds, other letters."""
    chance = Random(seed)  # noqa: S311 - nothing secret
    page = Image.new("RGB", sides, "white")
    pen = ImageDraw.Draw(page)
    for top in range(60, sides[1] - 60, _LINE):
        pen.text((60, top), "".join(chance.choices(_LETTERS, k=sides[0] // 9)), fill="black")
    return page


def encoded(seed: int, *, small: bool = False) -> bytes:
    """The same as a JPEG."""
    buffer = io.BytesIO()
    drawn(seed, _SMALL_SIDES if small else _SIDES).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
