"""What of a page its text draws, and what is drawn by everything else."""

from collections.abc import Iterable
from math import ceil, floor

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageChops, ImageDraw

from pecia_core.pdf.characters import Box

# Grey levels by which print differs from its ground where people and OCR can read it.
_VISIBLE = 32
# Pixels around a sign that still belong to it.
_HALO = 3
# What no sign claims, in cells of so many pixels, of which this share (of 255) is covered.
_SPOT, _COVERED = 12, 40

Pixels = tuple[int, int, int, int]


class Ink:
    """A page drawn as it is, and without its text and annotations; afterwards its text is gone for good."""

    def __init__(self, page: pdfium.PdfPage, texts: Iterable[object], scale: float) -> None:
        """Draw it twice, `scale` pixels a point."""
        whole = _grey(page, scale, extras=True)
        for text in texts:
            pdfium_c.FPDFTextObj_SetTextRenderMode(text, pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE)
        self.rest = _grey(page, scale, extras=False)
        self.text = ImageChops.difference(whole, self.rest)
        self._seen = self.text.point(lambda level: 255 * (level >= _VISIBLE))

    def pixels(self, box: Box) -> Pixels:
        """The pixels that a box touches; there may be none."""
        width, height = self.text.size
        left, top, right, bottom = (min(max(edge, -1.0), 2.0) for edge in box)
        return (
            max(0, floor(left * width)),
            max(0, floor(top * height)),
            min(width, ceil(right * width)),
            min(height, ceil(bottom * height)),
        )

    def shows(self, pixels: Pixels) -> bool:
        """Whether anything of the text can be seen there."""
        left, top, right, bottom = pixels
        return left < right and top < bottom and self._seen.crop(pixels).getbbox() is not None

    def unclaimed(self, claimed: Iterable[Pixels]) -> int:
        """Spots with ink of text or annotations that belong to no sign: what was typed into forms, say."""
        left_over = self._seen.copy()
        draw = ImageDraw.Draw(left_over)
        for left, top, right, bottom in claimed:
            draw.rectangle((left - _HALO, top - _HALO, right + _HALO, bottom + _HALO), 0)
        return sum(spot >= _COVERED for spot in left_over.reduce(_SPOT).tobytes())


def _grey(page: pdfium.PdfPage, scale: float, *, extras: bool) -> Image.Image:
    picture = page.render(scale=scale, grayscale=True, draw_annots=extras, may_draw_forms=extras).to_pil()
    assert isinstance(picture, Image.Image)  # noqa: S101  for the type checker
    return picture.copy()
