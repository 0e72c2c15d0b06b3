"""From what a caller sent to one encoded picture a page: data URLs, downloads, multipart, inline PDFs."""

from pecia_core.upload import Upload

from pecia_gateway.intake.intake import Intake
from pecia_gateway.intake.multipart import Form, UploadLimits, read_form, read_uploads

__all__ = ["Form", "Intake", "Upload", "UploadLimits", "read_form", "read_uploads"]
