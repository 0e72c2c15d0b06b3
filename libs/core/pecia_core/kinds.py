"""What a file really is, by its first bytes; what its sender says decides nothing but a contradiction."""

from pecia_core.errors import InvalidDocument, UnsupportedDocument
from pecia_core.upload import Upload

PDF = "application/pdf"
TIFF = "image/tiff"
_PICTURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"BM", "image/bmp"),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
)
_PDF_HEADER_WITHIN = 1024
# Types that a careful sender gives to a picture or PDF, or that say nothing.
_NEUTRAL = {"", "application/octet-stream", "binary/octet-stream", PDF}


def kind_of(upload: Upload, *, param: str) -> str:
    """The media type found.

    Raises:
        InvalidDocument: no bytes at all.
        UnsupportedDocument: not a picture or PDF that pecia reads.
    """
    if not upload.data:
        raise InvalidDocument("The file is empty: 0 bytes arrived.", code="empty_image_file", param=param)
    kind = _sniffed(upload.data)
    if kind is None:
        raise UnsupportedDocument(
            "This is not a file pecia reads: send JPEG, PNG, WEBP, BMP, TIFF or PDF.", param=param
        )
    return kind


def check_claim(upload: Upload, *, param: str) -> None:
    """Refuse a part that says of itself that it is something else than a picture or PDF.

    Raises:
        UnsupportedDocument: such a part.
    """
    claim = upload.media_type
    if claim not in _NEUTRAL and not claim.startswith("image/"):
        raise UnsupportedDocument(
            f"The file says it is {claim[:80]!r}: send a picture or a PDF with its own content type.",
            param=param,
        )


def _sniffed(data: bytes) -> str | None:
    for magic, kind in _PICTURES:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return PDF if b"%PDF-" in data[:_PDF_HEADER_WITHIN] else None
