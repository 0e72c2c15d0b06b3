"""The text layer of a page, inside a child process: read, judged, and put in reading order."""

import msgspec
import pypdfium2 as pdfium

from pecia_core.pdf.layer import Layer, Verdict


def read(page: pdfium.PdfPage, scale: float) -> bytes:
    """A `Layer` as msgpack."""
    width, height = page.get_size()
    return msgspec.msgpack.encode(
        Layer(round(width * scale), round(height * scale), 72 * scale, Verdict.TOO_LITTLE, 0, [])
    )
