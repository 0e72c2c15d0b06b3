"""PDFium at work, inside a child process: count pages, draw one."""

from io import BytesIO
from math import isfinite, sqrt

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from pecia_core.pdf.frames import Count, Counted, Drawn, Refusal, Render

_POINTS_PER_INCH = 72.0
# A JPEG holds 65,535 pixels a side; half of it leaves room in every decoder.
_MAX_SIDE = 32_000
# High enough that OCR reads the same as from PNG, in a tenth of the bytes.
_QUALITY = 92
_NO_SUBSAMPLING = 0


class CannotDraw(Exception):
    """The document, not the program, is at fault."""

    def __init__(self, why: Refusal) -> None:
        """Remember the reason."""
        super().__init__(why)
        self.why = why


def answer(request: Count | Render, data: bytes) -> tuple[Counted | Drawn, bytes]:
    """Do what is asked with one document; the second value is the JPEG, if there is one.

    Raises:
        CannotDraw: encrypted, broken, too short or too large.
    """
    try:
        with pdfium.PdfDocument(data, password=request.password) as document:
            if isinstance(request, Count):
                return Counted(len(document)), b""
            return _draw(document, request)
    except pdfium.PdfiumError as error:
        # The second is a lock of a kind PDFium does not know, such as a certificate.
        locked = error.err_code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}
        raise CannotDraw(Refusal.ENCRYPTED if locked else Refusal.BROKEN) from error
    except MemoryError as error:
        raise CannotDraw(Refusal.OUT_OF_MEMORY) from error


def _draw(document: pdfium.PdfDocument, request: Render) -> tuple[Drawn, bytes]:
    if request.page_index >= len(document):
        raise CannotDraw(Refusal.NO_SUCH_PAGE)
    # What people typed into a form is part of the page; this must come before the page is loaded.
    document.init_forms()
    page = document[request.page_index]
    width, height = page.get_size()
    scale = _scale(width, height, request)
    picture = page.render(scale=scale, rev_byteorder=True).to_pil()
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=_QUALITY, subsampling=_NO_SUBSAMPLING)
    return Drawn(picture.width, picture.height, scale * _POINTS_PER_INCH), jpeg.getvalue()


def _scale(width: float, height: float, request: Render) -> float:
    """Pixels per point: as asked, or less on a page so large that it would have too many pixels."""
    if not (isfinite(width) and isfinite(height) and width > 0 and height > 0):
        raise CannotDraw(Refusal.BROKEN)
    return min(
        request.dpi / _POINTS_PER_INCH,
        _largest_scale(width, height, request.max_pixels),
        _MAX_SIDE / max(width, height),
    )


def _largest_scale(width: float, height: float, max_pixels: int) -> float:
    """Solves (width * s + 1) * (height * s + 1) = max_pixels: each side may be rounded up by a pixel."""
    sides, area = width + height, width * height
    return (sqrt(sides**2 + 4 * area * (max_pixels - 1)) - sides) / (2 * area)
