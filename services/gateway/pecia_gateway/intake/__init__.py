"""From what a caller sent to one encoded picture a page: data URLs, downloads, multipart, inline PDFs."""

from pecia_gateway.intake.multipart import Form, UploadLimits, read_form, read_uploads
from pecia_gateway.intake.upload import Upload
from pecia_gateway.settings import FetchSettings, LimitSettings, PdfSettings

__all__ = ["Form", "Intake", "Upload", "UploadLimits", "read_form", "read_uploads"]


class Intake:
    """Takes in pictures and documents within the limits."""

    def __init__(self, limits: LimitSettings, fetch: FetchSettings, pdf: PdfSettings) -> None:
        """Open nothing yet."""

    async def from_url(self, url: str, *, param: str) -> Upload:
        """The file behind a data: or https: URL; `param` is the request field that named it.

        Raises:
            PeciaError: the URL is broken, not allowed, or what it names is too large.
        """
        raise NotImplementedError

    async def pages(self, upload: Upload, *, param: str) -> list[bytes]:
        """One encoded picture a page.

        Raises:
            PeciaError: empty, too large, of a kind pecia does not read, or a PDF with too many pages.
        """
        return [upload.data]

    async def close(self) -> None:
        """Stop the processes that draw PDF pages."""
