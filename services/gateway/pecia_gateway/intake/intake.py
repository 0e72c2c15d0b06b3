"""Takes in pictures and documents within the limits."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from pecia_core import tiff
from pecia_core.errors import InvalidRequest, TooLarge
from pecia_core.kinds import PDF, TIFF, check_claim, kind_of
from pecia_core.pdf import PdfRenderer, RenderLimits
from pecia_core.upload import Upload
from pecia_fetch.fetcher import Fetcher, Weigh, weightless
from pecia_fetch.settings import FetchSettings

from pecia_gateway.intake import data_url
from pecia_gateway.settings import LimitSettings, PdfSettings


class Intake:
    """From URLs and files to one encoded picture a page."""

    def __init__(
        self, limits: LimitSettings, fetch: FetchSettings, pdf: PdfSettings, *, wall_required: bool = False
    ) -> None:
        """Open nothing yet; with `wall_required`, PDFs are drawn behind all walls or not at all."""
        self._limits = limits
        self._dpi = pdf.dpi
        self._fetcher = Fetcher(fetch, limits.max_upload_bytes)
        self._renderer = PdfRenderer(pdf.workers, RenderLimits(wall_required=wall_required))

    async def from_url(self, url: str, *, param: str, hold: Weigh = weightless) -> Upload:
        """The file behind a data: or https: URL; `param` is the request field that named it.

        `hold` is told of bytes that are fetched, while they arrive: a data: URL's came with the body.

        Raises:
            PeciaError: the URL is broken, not allowed, what it names is too large, or `hold` refuses.
        """
        url = url.strip()
        if url[:5].lower() == "data:":
            return data_url.decode(url, max_bytes=self._limits.max_upload_bytes, param=param)
        return await self._fetcher.fetch(url, param=param, weigh=hold)

    async def pages(
        self, upload: Upload, *, param: str, take_pages: Callable[[int, str], None] = lambda _, __: None
    ) -> list[bytes]:
        """One encoded picture a page; `take_pages` is told how many before one is drawn, and may refuse.

        Raises:
            PeciaError: empty, too large, of a kind pecia does not read, or with too many pages.
        """
        if len(upload.data) > self._limits.max_upload_bytes:
            raise TooLarge(
                f"The file has more than the {self._limits.max_upload_bytes:,} bytes allowed.", param=param
            )
        kind = kind_of(upload, param=param)
        check_claim(upload, param=param)
        if kind == TIFF:
            pages = self._parted(upload.data, param)
            take_pages(len(pages), param)
            return pages
        if kind == PDF:
            return await self._drawn(upload.data, param, take_pages)
        take_pages(1, param)
        return [upload.data]

    def _parted(self, data: bytes, param: str) -> list[bytes]:
        most = self._limits.max_pdf_pages
        pages = tiff.pages(data, most)
        if len(pages) > most:
            raise _too_many(f"The TIFF has more than {most} pages", most, param)
        return pages

    async def _drawn(self, data: bytes, param: str, take_pages: Callable[[int, str], None]) -> list[bytes]:
        async with self._renderer.open(data) as document:
            count = document.page_count
            if count > self._limits.max_pdf_pages:
                raise _too_many(f"The PDF has {count} pages", self._limits.max_pdf_pages, param)
            take_pages(count, param)
            return [(await document.render(index, self._dpi)).jpeg for index in range(count)]

    async def page_count(self, path: Path, kind: str, password: str, most: int) -> int:
        """Pages of a document that lies in a file; a picture is one. Of a TIFF `most` + 1 are counted.

        Raises:
            InvalidDocument: it is broken, or it is encrypted and the password does not open it.
        """
        if kind == PDF:
            async with self._renderer.open(path, password or None) as document:
                return document.page_count
        if kind == TIFF:
            return (await asyncio.to_thread(tiff.Tiff, path, most)).page_count
        return 1

    async def close(self) -> None:
        """Stop the processes that draw PDF pages."""
        self._fetcher.close()
        await self._renderer.close()


def _too_many(what: str, most: int, param: str) -> InvalidRequest:
    return InvalidRequest(
        f"{what}; at most {most} are read within a request. Send longer documents to /v1/jobs.",
        code="pdf_too_many_pages",
        param=param,
    )
