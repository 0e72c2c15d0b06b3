"""From what a caller sent to one encoded picture a page: data URLs, downloads, multipart, inline PDFs."""

from pecia_core.upload import Upload

from pecia_gateway.intake.intake import Intake
from pecia_gateway.intake.multipart import (
    DocumentForm,
    Form,
    UploadLimits,
    read_document,
    read_form,
    read_uploads,
)
from pecia_gateway.intake.parts import Spill

__all__ = [
    "DocumentForm",
    "Form",
    "Intake",
    "Spill",
    "Upload",
    "UploadLimits",
    "read_document",
    "read_form",
    "read_uploads",
]
