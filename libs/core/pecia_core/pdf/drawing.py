"""Pages become JPEGs, inside a child process."""

from io import BytesIO
from math import isfinite, sqrt

import pypdfium2 as pdfium
from PIL import Image

from pecia_core.pdf.frames import Drawn

POINTS_PER_INCH = 72.0
# A JPEG holds 65,535 pixels a side; half of it leaves room in every decoder.
_MAX_SIDE = 32_000
# High enough that OCR reads the same as from PNG, in a tenth of the bytes.
_QUALITY = 92
_NO_SUBSAMPLING = 0


def prepare() -> None:
    """Have everything loaded that drawing needs: later no file can be opened. Pillow loads as it goes."""
    Image.new("RGB", (8, 8)).save(BytesIO(), "JPEG", quality=_QUALITY, subsampling=_NO_SUBSAMPLING)


def draw(page: pdfium.PdfPage, scale: float) -> tuple[Drawn, bytes]:
    """The page as JPEG, `scale` pixels a point."""
    picture = page.render(scale=scale, rev_byteorder=True).to_pil()
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=_QUALITY, subsampling=_NO_SUBSAMPLING)
    return Drawn(picture.width, picture.height, scale * POINTS_PER_INCH), jpeg.getvalue()


def size_of(page: pdfium.PdfPage) -> tuple[float, float]:
    """Width and height in points, as the page is shown."""
    width, height = page.get_size()
    return float(width), float(height)


def scale_of(page: pdfium.PdfPage, dpi: float, max_pixels: int) -> float:
    """Pixels per point: as asked, or less on a page so large that it would have too many pixels.

    Raises:
        ValueError: a page without a size.
    """
    width, height = size_of(page)
    if not (isfinite(width) and isfinite(height) and width > 0 and height > 0):
        raise ValueError(f"a page of {width} x {height} points")
    return min(
        dpi / POINTS_PER_INCH,
        _largest_scale(width, height, max_pixels),
        _MAX_SIDE / max(width, height),
    )


def _largest_scale(width: float, height: float, max_pixels: int) -> float:
    """Solves (width * s + 1) * (height * s + 1) = max_pixels: each side may be rounded up by a pixel."""
    sides, area = width + height, width * height
    return (sqrt(sides**2 + 4 * area * (max_pixels - 1)) - sides) / (2 * area)
