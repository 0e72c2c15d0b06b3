"""A document's pages, whatever kind of file it is: as pictures, and as the text a PDF has of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO, Protocol

from pecia_core.errors import InvalidRequest
from pecia_core.kinds import PDF, TIFF
from pecia_core.pdf import OpenPdf, PdfRenderer, TextLayer
from pecia_core.tiff import Tiff

from pecia_jobs.store import JobSpec


class Pages(Protocol):
    """The pages of one document, by number from 1."""

    async def picture(self, number: int, dpi: float) -> bytes:
        """The page as the ocr service takes it.

        Raises:
            PeciaError: the page is at fault, or nobody can draw it now.
        """

    async def text_layer(self, number: int, dpi: float) -> TextLayer | None:
        """What the document says of the page itself; None where its kind says nothing."""


@asynccontextmanager
async def pages_of(file: BinaryIO, spec: JobSpec, renderer: PdfRenderer) -> AsyncIterator[Pages]:
    """Open a document for many calls.

    Raises:
        PeciaError: it cannot be read, or nobody can read it now.
    """
    match spec.media_type:
        case media_type if media_type == PDF:
            async with renderer.open(file, spec.password or None) as pdf:
                yield _PdfPages(pdf)
        case media_type if media_type == TIFF:
            yield _TiffPages(await asyncio.to_thread(Tiff, file, spec.document_pages))
        case _:
            yield _Picture(file)


class _PdfPages:
    def __init__(self, pdf: OpenPdf) -> None:
        self._pdf = pdf

    async def picture(self, number: int, dpi: float) -> bytes:
        return (await self._pdf.render(number - 1, dpi)).jpeg

    async def text_layer(self, number: int, dpi: float) -> TextLayer | None:
        return await self._pdf.text(number - 1, dpi)


class _TiffPages:
    def __init__(self, tiff: Tiff) -> None:
        self._tiff = tiff
        self._reading = asyncio.Lock()  # the file has one place it is read at

    async def picture(self, number: int, dpi: float) -> bytes:  # noqa: ARG002 - it has its own
        if number > self._tiff.page_count:
            raise InvalidRequest("The TIFF has no such page. Ask for a page it has.")
        async with self._reading:
            return await asyncio.to_thread(self._tiff.page, number - 1)

    async def text_layer(self, number: int, dpi: float) -> TextLayer | None:  # noqa: ARG002 - it has none
        return None


class _Picture:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def picture(self, number: int, dpi: float) -> bytes:  # noqa: ARG002 - it has its own
        if number != 1:
            raise InvalidRequest("A picture has one page. Ask for page 1.")
        return await asyncio.to_thread(_all_of, self._file)

    async def text_layer(self, number: int, dpi: float) -> TextLayer | None:  # noqa: ARG002 - it has none
        return None


def _all_of(file: BinaryIO) -> bytes:
    """Wherever others have left it."""
    descriptor = file.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
