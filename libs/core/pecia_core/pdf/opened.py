"""A document open in PDFium, inside a child process: its pages are drawn and read from here."""

import ctypes
import mmap
import os
from contextlib import suppress

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from pecia_core.pdf import drawing, frames, reading
from pecia_core.pdf.frames import Refusal


class CannotRead(Exception):
    """The document, not the program, is at fault."""

    def __init__(self, why: Refusal) -> None:
        """Remember the reason."""
        super().__init__(why)
        self.why = why


class Opened:
    """One document, mapped into memory: no copy is made, and pages are read only when they are needed."""

    def __init__(self, descriptor: int, password: str | None) -> None:
        """Take over the descriptor, and open what it leads to.

        Raises:
            CannotRead: encrypted, broken, without a page or too large.
        """
        try:
            # A private mapping: PDFium only reads, and nothing could come back to the file.
            self._mapping = mmap.mmap(descriptor, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        except ValueError as error:
            raise CannotRead(Refusal.BROKEN) from error  # no bytes at all
        except OSError as error:
            raise CannotRead(Refusal.OUT_OF_MEMORY) from error
        finally:
            os.close(descriptor)
        data = (ctypes.c_char * len(self._mapping)).from_buffer(self._mapping)
        try:
            self._document = pdfium.PdfDocument(data, password=password)
            # What people typed into a form is part of the page; this must come before a page is loaded.
            self._document.init_forms()
            self.pages = len(self._document)
        except pdfium.PdfiumError as error:
            raise CannotRead(_why(error)) from error
        except MemoryError as error:
            raise CannotRead(Refusal.OUT_OF_MEMORY) from error

    def answer(self, request: frames.Request) -> tuple[frames.FromChild, bytes]:
        """Draw or read a page; the second value is the payload.

        Raises:
            CannotRead: no such page, a broken one, or one that needs too much memory.
        """
        if request.page_index >= self.pages:
            raise CannotRead(Refusal.NO_SUCH_PAGE)
        try:
            page = self._document[request.page_index]
            try:
                scale = drawing.scale_of(page, request.dpi, request.max_pixels)
                if isinstance(request, frames.Render):
                    return drawing.draw(page, scale)
                return frames.TextRead(), reading.read(page, scale)
            finally:
                page.close()
        except (pdfium.PdfiumError, ValueError) as error:
            raise CannotRead(Refusal.BROKEN) from error
        except MemoryError as error:
            raise CannotRead(Refusal.OUT_OF_MEMORY) from error

    def close(self) -> None:
        """Free everything."""
        self._document.close()
        # Where something still points into it, it goes with that.
        with suppress(BufferError):
            self._mapping.close()


def _why(error: pdfium.PdfiumError) -> Refusal:
    match error.err_code:
        # The second is a lock of a kind PDFium does not know, such as a certificate.
        case pdfium_c.FPDF_ERR_PASSWORD | pdfium_c.FPDF_ERR_SECURITY:
            return Refusal.ENCRYPTED
        case pdfium_c.FPDF_ERR_SUCCESS:
            return Refusal.NO_PAGES
        case _:
            return Refusal.BROKEN
