"""From a failed call back to the error family, and what it says about the pod."""

import logging
from dataclasses import dataclass
from enum import Enum, auto

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from pecia_core.errors import PeciaError, TooLarge, from_code

_log = logging.getLogger(__name__)
_DOMAIN = "pecia.dev"
_DETAILS = "grpc-status-details-bin"
# For failures that carry no ErrorInfo of ours: the transport's own, or a foreign server's.
_PLAIN_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: "invalid_request",
    grpc.StatusCode.OUT_OF_RANGE: "invalid_request",
    grpc.StatusCode.UNAUTHENTICATED: "invalid_api_key",
    grpc.StatusCode.PERMISSION_DENIED: "permission_denied",
    grpc.StatusCode.NOT_FOUND: "not_found",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "queue_full",
    grpc.StatusCode.FAILED_PRECONDITION: "model_loading",
    grpc.StatusCode.DEADLINE_EXCEEDED: "inference_timeout",
    grpc.StatusCode.UNAVAILABLE: "engine_unavailable",
    # A server that is being stopped cancels what it has left; our own cancelling never comes here.
    grpc.StatusCode.CANCELLED: "engine_unavailable",
}
_PLAIN_MESSAGES = {
    "queue_full": "The ocr service has no room for this page now. Try again later.",
    "inference_timeout": "The page was not read within the time given. Give it more, or send a smaller page.",
    "engine_unavailable": "The ocr service cannot be reached now. Try again in a moment.",
    "model_loading": "The ocr service is not ready yet. Try again in a moment.",
    "server_error": "The ocr service failed on this page.",
}
_GONE_RETRY_S = 1.0


class Verdict(Enum):
    """What a failure says about trying elsewhere."""

    FINAL = auto()  # another pod would say the same, or the work has been done in vain already
    REFUSED = auto()  # this pod has no room
    UNREACHABLE = auto()  # this pod is gone, or going
    NOT_READY = auto()  # this pod answers, but cannot work now


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, understood."""

    error: PeciaError
    verdict: Verdict


def understand(failure: grpc.aio.AioRpcError, *, ours: bool = False) -> Failure:
    """What the service said, or what its silence means. `ours` = the call showed a key of this service."""
    info, retry_after = _details(failure)
    # A certificate is always this service's own.
    ours = ours or (info is not None and info.reason == "client_not_allowed")
    if ours and failure.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
        _log.error(
            "the ocr service does not believe this one: look at PECIA_OCR__BEARER_KEY, "
            "PECIA_OCR__ASSERTION__KEY_FILE and PECIA_OCR__TLS__CERT_FILE",
            extra={"reason": failure.details()},
        )
        return Failure(from_code("engine_unavailable", _PLAIN_MESSAGES["engine_unavailable"]), Verdict.FINAL)
    if info is None:
        return _plain(failure, retry_after)
    message = failure.details() or info.reason
    error = from_code(info.reason, message, param=info.metadata.get("param"), retry_after=retry_after)
    verdicts = {
        "queue_full": Verdict.REFUSED,
        "model_loading": Verdict.NOT_READY,
        "draining": Verdict.NOT_READY,
    }
    return Failure(error, verdicts.get(error.code, Verdict.FINAL))


def _plain(failure: grpc.aio.AioRpcError, retry_after: float | None) -> Failure:
    code = _PLAIN_CODES.get(failure.code(), "server_error")
    details = failure.details() or ""
    if code == "queue_full" and "message larger than max" in details:
        error: PeciaError = TooLarge("The picture is larger than the ocr service takes. Send a smaller one.")
        return Failure(error, Verdict.FINAL)
    if code == "engine_unavailable":
        return Failure(from_code(code, _PLAIN_MESSAGES[code], retry_after=_GONE_RETRY_S), Verdict.UNREACHABLE)
    # What other servers say in plain statuses is shown; what a broken one says is for the log only.
    message = _PLAIN_MESSAGES.get(code) or details or code
    verdict = Verdict.REFUSED if code == "queue_full" else Verdict.FINAL
    return Failure(from_code(code, message, retry_after=retry_after), verdict)


def _details(failure: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo | None, float | None]:
    known: error_details_pb2.ErrorInfo | None = None
    retry_after: float | None = None
    for detail in _status(failure).details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            known = info
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return known, retry_after


def _status(failure: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in failure.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break  # a broken detail is no detail: the plain status still says something
    return status_pb2.Status()
