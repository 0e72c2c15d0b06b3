"""Files from a multipart body, read as they arrive and bounded on the way."""

from dataclasses import dataclass, field
from typing import Self

from pecia_core.errors import InvalidRequest, TooLarge, UnsupportedDocument
from pecia_core.kinds import check_claim
from pecia_core.upload import Upload
from starlette.requests import Request

from pecia_gateway.intake.parts import BrokenBody, Part, PartLimits, Spill, read_parts
from pecia_gateway.settings import LimitSettings

_FILE_FIELDS = ("file", "files", "files[]")
_MAX_FIELD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Bounds of one multipart body."""

    max_file_bytes: int
    max_files: int
    max_parts: int

    @classmethod
    def of(cls, limits: LimitSettings) -> Self:
        """The bounds the settings give."""
        return cls(limits.max_upload_bytes, limits.max_images, limits.max_parts)


@dataclass(frozen=True, slots=True)
class Form:
    """Files (fields `file`, `files`, `files[]`) as they came, and the last value of each text field."""

    uploads: list[Upload] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentForm:
    """A document's first bytes and names, and the last value of each text field."""

    head: Upload
    fields: dict[str, str]


async def read_form(request: Request, limits: UploadLimits) -> Form:
    """Read a multipart body.

    Raises:
        UnsupportedDocument: the body is not multipart, or a file says it is something else than a picture.
        InvalidRequest: the body is broken, or holds no file.
        TooLarge: the only file, or the number of files, is over the limits.
    """
    return _taken(await _parts(request, limits), limits)


async def read_uploads(request: Request, limits: UploadLimits) -> list[Upload]:
    """The files of a multipart body; raises as `read_form` does."""
    return (await read_form(request, limits)).uploads


async def read_document(request: Request, limits: UploadLimits, spill: Spill) -> DocumentForm:
    """Read a multipart body whose only file is a document of any length: its bytes are in `spill` then.

    Raises:
        UnsupportedDocument, InvalidRequest, TooLarge: as `read_form` does, and where it holds two files.
    """
    parts = await _parts(request, limits, spill)
    files = [part for part in parts if part.filename is not None and part.name in _FILE_FIELDS]
    if not files:
        raise _no_file()
    if spill.size > limits.max_file_bytes:
        raise TooLarge(
            f"The document has more than the {limits.max_file_bytes:,} bytes allowed. Split it, or send "
            "scans of fewer dots per inch.",
            param="file",
        )
    upload = Upload(spill.head, files[0].media_type, files[0].filename or "")
    check_claim(upload, param="file")
    return DocumentForm(upload, _texts(parts))


async def _parts(request: Request, limits: UploadLimits, spill: Spill | None = None) -> list[Part]:
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise UnsupportedDocument(
            f"This route reads multipart/form-data with a field 'file', not {media_type[:80]!r}. "
            "Try: curl -F file=@page.png"
        )
    bounds = PartLimits(limits.max_parts, limits.max_file_bytes, _MAX_FIELD_BYTES)
    try:
        return await read_parts(content_type, request.stream(), bounds, spill)
    except BrokenBody as error:
        raise InvalidRequest(f"The multipart body is broken: {error}.") from error


def _taken(parts: list[Part], limits: UploadLimits) -> Form:
    uploads = [
        Upload(bytes(part.data), part.media_type, part.filename)
        for part in parts
        if part.name in _FILE_FIELDS and part.filename is not None
    ]
    if not uploads:
        raise _no_file()
    if len(uploads) > limits.max_files:
        raise TooLarge(
            f"The form holds {len(uploads)} files; at most {limits.max_files} are read at once.",
            code="request_too_large",
            param="file",
        )
    if len(uploads) == 1:  # of several files each has an outcome of its own, later
        _check(uploads[0], limits.max_file_bytes)
    return Form(uploads, _texts(parts))


def _texts(parts: list[Part]) -> dict[str, str]:
    return {part.name: part.data.decode("utf-8", "replace") for part in parts if part.filename is None}


def _no_file() -> InvalidRequest:
    return InvalidRequest(
        "The form holds no file: send it in the field 'file'.",
        code="missing_required_parameter",
        param="file",
    )


def _check(upload: Upload, max_bytes: int) -> None:
    if len(upload.data) > max_bytes:
        raise TooLarge(
            f"The file has more than the {max_bytes:,} bytes allowed. Send it smaller, or as JPEG.",
            param="file",
        )
    check_claim(upload, param="file")
