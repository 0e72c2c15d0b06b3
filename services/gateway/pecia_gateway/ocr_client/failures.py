"""What the ocr service or the wire said went wrong, as the error it is."""

import grpc
from google.rpc import error_details_pb2, status_pb2
from pecia_core.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineFailed,
    InvalidRequest,
    NotFound,
    Overloaded,
    PeciaError,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    from_code,
)

_DOMAIN = "pecia.dev"
_DETAILS = "grpc-status-details-bin"
# What plain statuses mean, where no ErrorInfo says it better.
_PLAIN: dict[grpc.StatusCode, tuple[type[PeciaError], str]] = {
    grpc.StatusCode.INVALID_ARGUMENT: (InvalidRequest, "The ocr service refused the request."),
    grpc.StatusCode.UNAUTHENTICATED: (Unauthenticated, "The ocr service asks for a key."),
    grpc.StatusCode.PERMISSION_DENIED: (PermissionDenied, "This key may not do this."),
    grpc.StatusCode.NOT_FOUND: (NotFound, "The ocr service has no such thing."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Overloaded, "The ocr service has no room; try again soon."),
    grpc.StatusCode.DEADLINE_EXCEEDED: (DeadlineExceeded, "The page was not read in the time given."),
    grpc.StatusCode.CANCELLED: (Cancelled, "The call was cancelled."),
    grpc.StatusCode.UNAVAILABLE: (Unavailable, "The ocr service cannot be reached; try again in a moment."),
}


def error_of(failure: grpc.aio.AioRpcError) -> PeciaError:
    """The error a failed call stands for: by its ErrorInfo, else by its status."""
    known = _rich(failure)
    if known is not None:
        return known
    kind, message = _PLAIN.get(failure.code(), (EngineFailed, "The ocr service failed; its log says why."))
    return kind(message)


def _rich(failure: grpc.aio.AioRpcError) -> PeciaError | None:
    packed = dict(failure.trailing_metadata() or ()).get(_DETAILS)
    if not isinstance(packed, bytes):
        return None
    try:
        status = status_pb2.Status.FromString(packed)
    except ValueError:
        return None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    found, retry_after = False, None
    for detail in status.details:
        if detail.Unpack(info):
            found = info.domain == _DOMAIN
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
    if not found:
        return None
    return from_code(info.reason, status.message, param=info.metadata.get("param"), retry_after=retry_after)


def was_refused(error: PeciaError) -> bool:
    """Whether the pod had not begun with the page, so that another may."""
    return error.code in {"queue_full", "draining", "model_loading"}


def was_unreachable(failure: grpc.aio.AioRpcError) -> bool:
    """Whether the connection failed, not the page: no ErrorInfo came back."""
    return failure.code() is grpc.StatusCode.UNAVAILABLE and _rich(failure) is None
