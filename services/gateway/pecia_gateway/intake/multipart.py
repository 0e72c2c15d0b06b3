"""Files from a multipart body, read as they arrive and bounded on the way."""

from dataclasses import dataclass, field
from typing import Self

from starlette.requests import Request

from pecia_gateway.intake.upload import Upload
from pecia_gateway.settings import LimitSettings


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
    raise NotImplementedError


async def read_uploads(request: Request, limits: UploadLimits) -> list[Upload]:
    """The files of a multipart body; raises as `read_form` does."""
    return (await read_form(request, limits)).uploads
