"""Files from a multipart body, read as they arrive and bounded on the way."""

from dataclasses import dataclass, field
from typing import Self

from pecia_core.errors import InvalidRequest, TooLarge, UnsupportedDocument
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from pecia_gateway.intake.kinds import check_claim
from pecia_gateway.intake.upload import Upload
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


async def read_form(request: Request, limits: UploadLimits) -> Form:
    """Read a multipart body.

    Raises:
        UnsupportedDocument: the body is not multipart, or a file says it is something else than a picture.
        InvalidRequest: the body is broken, or holds no file.
        TooLarge: a file, or their number, is over the limits.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "multipart/form-data":
        raise UnsupportedDocument(
            f"This route reads multipart/form-data with a field 'file', not {content_type[:80]!r}. "
            "Try: curl -F file=@page.png"
        )
    try:
        # Parts larger than a megabyte wait on disk, not in memory; the body limit bounds them all.
        form = await request.form(
            max_files=limits.max_parts, max_fields=limits.max_parts, max_part_size=_MAX_FIELD_BYTES
        )
    except (MultiPartException, HTTPException) as error:
        said = getattr(error, "message", None) or getattr(error, "detail", "")
        raise InvalidRequest(f"The multipart body is broken: {said}") from error
    try:
        return await _taken(form, limits)
    finally:
        await form.close()


async def read_uploads(request: Request, limits: UploadLimits) -> list[Upload]:
    """The files of a multipart body; raises as `read_form` does."""
    return (await read_form(request, limits)).uploads


async def _taken(form: FormData, limits: UploadLimits) -> Form:
    files = [value for name in _FILE_FIELDS for value in form.getlist(name) if isinstance(value, UploadFile)]
    if not files:
        raise InvalidRequest(
            "The form holds no file: send it in the field 'file'.",
            code="missing_required_parameter",
            param="file",
        )
    if len(files) > limits.max_files:
        raise TooLarge(
            f"The form holds {len(files)} files; at most {limits.max_files} are read at once.",
            code="request_too_large",
            param="file",
        )
    uploads = [await _upload(file, limits.max_file_bytes) for file in files]
    if len(uploads) == 1:
        check_claim(uploads[0], param="file")
    return Form(uploads, {name: value for name, value in form.items() if isinstance(value, str)})


async def _upload(file: UploadFile, max_bytes: int) -> Upload:
    data = await file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(
            f"The file has more than the {max_bytes:,} bytes allowed. Send it smaller, or as JPEG.",
            param="file",
        )
    media_type = (file.content_type or "").partition(";")[0].strip().lower()
    return Upload(data, media_type, file.filename or "")
