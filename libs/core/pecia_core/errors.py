"""One family of errors. Each carries a code, whether a retry helps, and the next step for the user.

Two tables map the family to the outside: `pecia_ocr.interceptors` to gRPC statuses and
`pecia_gateway.problems` to HTTP statuses with OpenAI error bodies. Nothing else builds statuses.
"""

from typing import ClassVar


class PeciaError(Exception):
    """What went wrong, in words a caller can act on.

    Attributes:
        code: a word from `ERROR_CODES`, stable, for programs.
        message: a full sentence, for people; says what to do next.
        param: the request field at fault, where there is one.
        retry_after: seconds after which a retry may succeed; None = unknown or useless.
        request_id: the call's id in the service's logs, set by clients; empty = not known.
    """

    default_code: ClassVar[str] = "server_error"
    retryable: ClassVar[bool] = False
    request_id: str = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Remember everything; an unknown code is a programming error."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param
        self.retry_after = retry_after
        if self.code not in ERROR_CODES:
            raise ValueError(f"unknown error code {self.code!r}: add it to pecia_core.errors.ERROR_CODES")


class InvalidRequest(PeciaError):
    """The request says something that cannot be done."""

    default_code = "invalid_request"


class InvalidDocument(PeciaError):
    """The picture or PDF cannot be read."""

    default_code = "invalid_image"


class UnsupportedDocument(PeciaError):
    """The file is of a kind pecia does not read."""

    default_code = "unsupported_image_media_type"


class TooLarge(PeciaError):
    """More bytes, pixels or pages than the limits allow."""

    default_code = "image_file_too_large"


class Unauthenticated(PeciaError):
    """No key, or one that is not known."""

    default_code = "invalid_api_key"


class PermissionDenied(PeciaError):
    """A key that may not do this."""

    default_code = "permission_denied"


class NotFound(PeciaError):
    """There is no such thing, or it belongs to somebody else."""

    default_code = "not_found"


class Conflict(PeciaError):
    """It cannot be done as things stand: something has to happen or end first."""

    default_code = "job_finished"


class Gone(PeciaError):
    """It was there, and will not be again."""

    default_code = "document_gone"


class Overloaded(PeciaError):
    """No room now; a later retry helps."""

    default_code = "queue_full"
    retryable = True


class Unavailable(PeciaError):
    """Nobody can answer now; a later retry helps."""

    default_code = "engine_unavailable"
    retryable = True


class DeadlineExceeded(PeciaError):
    """The time the caller gave ran out."""

    default_code = "inference_timeout"


class Cancelled(PeciaError):
    """The caller went away."""

    default_code = "cancelled"


class OutOfMemory(PeciaError):
    """The engine has too little memory for this page, even at the smallest setting."""

    default_code = "gpu_out_of_memory"


class EngineFailed(PeciaError):
    """The engine broke on this page."""

    default_code = "server_error"


# code -> the class that carries it: the way back from the wire.
ERROR_CODES: dict[str, type[PeciaError]] = {
    "invalid_request": InvalidRequest,
    "missing_required_parameter": InvalidRequest,
    "unsupported_parameter": InvalidRequest,
    "unsupported_value": InvalidRequest,
    "invalid_base64_image": InvalidRequest,
    "invalid_image_url": InvalidRequest,
    "failed_to_download_image": InvalidRequest,
    "invalid_webhook_url": InvalidRequest,
    "webhooks_off": InvalidRequest,
    "pdf_too_many_pages": InvalidRequest,
    "pages_not_together": InvalidRequest,
    "invalid_image": InvalidDocument,
    "empty_image_file": InvalidDocument,
    "invalid_pdf": InvalidDocument,
    "pdf_encrypted": InvalidDocument,
    "unsupported_image_media_type": UnsupportedDocument,
    "unsupported_media_type": UnsupportedDocument,
    "image_file_too_large": TooLarge,
    "image_too_large": TooLarge,
    "request_too_large": TooLarge,
    "invalid_api_key": Unauthenticated,
    "invalid_signature": Unauthenticated,
    "invalid_assertion": Unauthenticated,
    "permission_denied": PermissionDenied,
    "missing_scope_ocr": PermissionDenied,
    "missing_scope_jobs": PermissionDenied,
    "missing_scope_admin": PermissionDenied,
    "client_not_allowed": PermissionDenied,
    "not_found": NotFound,
    "model_not_found": NotFound,
    "job_not_completed": Conflict,
    "job_page_not_ready": Conflict,
    "job_page_not_drawable": Conflict,
    "job_finished": Conflict,
    "idempotency_conflict": Conflict,
    "review_decided": Conflict,
    "document_gone": Gone,
    "queue_full": Overloaded,
    "rate_limit_exceeded": Overloaded,
    "job_limit_reached": Overloaded,
    "storage_full": Overloaded,
    "model_loading": Unavailable,
    "engine_unavailable": Unavailable,
    "draining": Unavailable,
    "store_unavailable": Unavailable,
    "webhook_unreachable": Unavailable,
    "inference_timeout": DeadlineExceeded,
    "cancelled": Cancelled,
    "gpu_out_of_memory": OutOfMemory,
    "server_error": EngineFailed,
}


def from_code(
    code: str, message: str, *, param: str | None = None, retry_after: float | None = None
) -> PeciaError:
    """The error a code names; an unknown code is a failed engine, so that nothing is swallowed."""
    known = code if code in ERROR_CODES else EngineFailed.default_code
    return ERROR_CODES[known](message, code=known, param=param, retry_after=retry_after)
