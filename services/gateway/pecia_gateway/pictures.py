"""Pages of jobs as pictures, for people who compare them with what was read.

Drawn when somebody looks, by processes of their own: whoever looks holds up neither jobs nor short PDFs.
Nothing is stored; a document stays fetched while it is looked at, and a moment longer.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from pecia_core import errors
from pecia_core.header import sniff
from pecia_core.kinds import PDF, kind_of
from pecia_core.pdf import PdfRenderer, RenderLimits
from pecia_core.upload import Upload
from pecia_jobs.blobs import Blobs
from pecia_jobs.inputs import Inputs
from pecia_jobs.store import JobSpec

from pecia_gateway.places import Places
from pecia_gateway.settings import PictureSettings

_UNSHOWN = "job_page_not_drawable"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """One page: a JPEG of a PDF's, otherwise the picture as it was sent."""

    data: bytes
    media_type: str


class PagePictures:
    """Gives pictures of pages, a few at a time."""

    def __init__(
        self, blobs: Blobs, settings: PictureSettings, folder: Path | None, *, wall_required: bool
    ) -> None:
        """Open nothing yet.

        Args:
            blobs: where the documents lie.
            settings: of pictures.
            folder: for documents while they are looked at; None = the system's for temporary files.
            wall_required: whether pages are drawn behind all walls or not at all.
        """
        self._settings = settings
        self._places = Places("pictures of pages", each=settings.tenant_at_once, together=settings.at_once)
        limits = RenderLimits(
            page_timeout_s=settings.timeout_s, max_pixels=settings.max_pixels, wall_required=wall_required
        )
        self._renderer = PdfRenderer(settings.workers, limits)
        self._inputs = Inputs(blobs, self._renderer, most_bytes=settings.documents_bytes, folder=folder)
        self._tidying: asyncio.Task[None] | None = None

    def open(self) -> None:
        """From now on let go of documents that nobody looks at any more."""
        self._tidying = asyncio.create_task(self._inputs.forget_idle(self._settings.idle_s))

    async def close(self) -> None:
        """Keep nothing, and end the processes that draw."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self._inputs.close()
        await self._renderer.close()

    async def page(self, spec: JobSpec, number: int, dpi: float) -> PagePicture:
        """A page by its number from 1; `dpi` dots per inch, of PDFs, as far as the pixels allow.

        Raises:
            Overloaded: this tenant, or everybody together, has too many under way.
            Conflict: the page cannot be drawn, or is too large to be shown (`job_page_not_drawable`).
            Gone: the document is deleted, or its password is forgotten.
            Unavailable: the store is away.
        """
        if spec.media_type != PDF and spec.input_bytes > self._settings.whole_bytes:
            raise errors.Conflict(
                f"Pages of pictures and TIFFs above {self._settings.whole_mb:g} MiB are not shown. Their "
                "text can be had all the same.",
                code=_UNSHOWN,
            )
        with self._places.hold(spec.tenant):
            try:
                async with self._inputs.open(spec) as pages:
                    data = await pages.picture(number, dpi)
            except errors.NotFound as error:
                raise errors.Gone(
                    "The document of this job is no longer there; what was read of it is."
                ) from error
            except (errors.InvalidDocument, errors.InvalidRequest) as error:
                raise _unshown(error) from error
        return PagePicture(data, "image/jpeg") if spec.media_type == PDF else self._as_sent(data)

    def _as_sent(self, data: bytes) -> PagePicture:
        """A picture that came from outside, if a browser can take it.

        Raises:
            Conflict: it claims too many pixels, or is no picture.
        """
        try:
            media_type, pixels = kind_of(Upload(data, ""), param="file"), sniff(data).pixels
        except (errors.InvalidDocument, errors.UnsupportedDocument) as error:
            raise _unshown(error) from error
        if pixels > self._settings.max_sent_pixels:
            raise errors.Conflict(
                f"This picture has more than {self._settings.max_sent_pixels:,} pixels: it is not shown. "
                "Scale it down and make a new job of it.",
                code=_UNSHOWN,
            )
        return PagePicture(data, media_type)


def _unshown(error: errors.PeciaError) -> errors.PeciaError:
    """The document's own fault, said of a page: the request that asks for it is all right."""
    if error.code == "pdf_encrypted":
        return errors.Gone(
            "The password of this document was forgotten when its job ended, so its pages cannot be drawn "
            "any more. Make a new job of it, and look while that runs."
        )
    return errors.Conflict(f"This page cannot be drawn. {error.message}", code=_UNSHOWN)
