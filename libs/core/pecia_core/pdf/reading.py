"""The text layer of a page, inside a child process: read, judged, and put in reading order."""

from math import ceil

import msgspec
import pypdfium2 as pdfium

from pecia_core.pdf import lines
from pecia_core.pdf.characters import Character, TooMuch, characters
from pecia_core.pdf.drawing import POINTS_PER_INCH, size_of
from pecia_core.pdf.judging import MOST_CHARACTERS, judge
from pecia_core.pdf.layer import Layer, Verdict


def read(page: pdfium.PdfPage, scale: float) -> bytes:
    """A `Layer` as msgpack, in pixels of the page drawn with `scale` pixels a point; the page is spent."""
    width, height = (ceil(side * scale) for side in size_of(page))
    try:
        signs = characters(page, MOST_CHARACTERS)
        shown = [sign for sign in signs if sign is not None and not sign.text.isspace() and _on_page(sign)]
        verdict = Verdict.OVERLAID if lines.overlaid(signs) else judge(page, shown)
    except TooMuch:
        signs, shown, verdict = [], [], Verdict.TOO_MUCH
    blocks = lines.blocks(signs, width, height) if verdict is Verdict.TRUSTED else []
    return msgspec.msgpack.encode(Layer(width, height, scale * POINTS_PER_INCH, verdict, len(shown), blocks))


def _on_page(sign: Character) -> bool:
    """Whether any of it is on the page: what is not is for printers, and is left out."""
    left, top, right, bottom = sign.box
    return left < 1 and top < 1 and right > 0 and bottom > 0
