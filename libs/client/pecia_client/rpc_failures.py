"""From a failed gRPC call back to the error family."""

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
)

from pecia_client.failures import known_or

_DETAILS = "grpc-status-details-bin"
# For failures without an ErrorInfo of ours: the transport's own.
_BY_STATUS: dict[grpc.StatusCode, type[PeciaError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
}


def from_rpc(failure: grpc.RpcError) -> PeciaError:
    """The error a failed call stands for, with code, field and retry hint from its details."""
    info, retry_after = _details(failure)
    message = failure.details() or failure.code().name
    error = known_or(info.reason, message, _BY_STATUS.get(failure.code(), EngineFailed))
    error.param = info.metadata.get("param")
    error.retry_after = retry_after
    return error


def _details(failure: grpc.RpcError) -> tuple[error_details_pb2.ErrorInfo, float | None]:
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    retry_after = None
    carried = [datum.value for datum in failure.trailing_metadata() or () if datum.key == _DETAILS]
    for value in carried:
        for detail in status_pb2.Status.FromString(value).details:
            detail.Unpack(info)
            if detail.Unpack(retry):
                retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return info, retry_after
