"""What one request may cost over all its files, counted before anything of it is fetched, drawn or read."""

from pecia_core.errors import InvalidDocument, TooLarge, UnsupportedDocument
from pecia_core.header import sniff
from pecia_core.upload import Upload
from pecia_fetch.fetcher import Weigh, weightless

from pecia_gateway.settings import LimitSettings


class Budget:
    """Bytes, pixels and pages of one request. Each file has its own bounds beside these."""

    def __init__(self, limits: LimitSettings, hold: Weigh = weightless) -> None:
        """Nothing is taken yet. `hold` is told of fetched bytes while they arrive, and may refuse."""
        self._limits = limits
        self.hold = hold
        self._bytes = 0
        self._pixels = 0
        self._pages = 0

    def take(self, upload: Upload, param: str) -> None:
        """Count a file that has arrived; of a picture, the pixels its header claims.

        Raises:
            TooLarge: the files together have too many bytes (`request_too_large`) or pixels
                (`image_too_large`).
        """
        self._bytes += len(upload.data)
        if self._bytes > self._limits.max_request_bytes:
            raise TooLarge(
                f"The files of this request have over {self._limits.max_request_bytes:,} bytes together. "
                "Send them in several requests.",
                code="request_too_large",
                param=param,
            )
        self._pixels += _pixels(upload.data)
        if self._pixels > self._limits.max_request_pixels:
            raise TooLarge(
                f"The pictures of this request have more than {self._limits.max_request_pixels:,} pixels "
                "together. Send them in several requests, or at a lower resolution.",
                code="image_too_large",
                param=param,
            )

    def take_pages(self, count: int, param: str) -> None:
        """Count the pages of a file, before they are drawn.

        Raises:
            TooLarge: the files together have too many (`request_too_large`).
        """
        self._pages += count
        if self._pages > self._limits.max_request_pages:
            raise TooLarge(
                f"The files of this request have more than {self._limits.max_request_pages} pages together. "
                "Send them in several requests, or as jobs to /v1/jobs.",
                code="request_too_large",
                param=param,
            )


def _pixels(data: bytes) -> int:
    """As the header says; 0 where it says nothing: such a file is refused when it is read."""
    try:
        return sniff(data).pixels
    except (InvalidDocument, UnsupportedDocument):
        return 0
