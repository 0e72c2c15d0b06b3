"""What failed calls mean: by their details, and by their status where there are none."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from pecia_dispatch.failures import Verdict, understand


def _rpc_error(
    code: grpc.StatusCode, details: str = "", trailers: tuple[tuple[str, bytes], ...] = ()
) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details)


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        ("INVALID_ARGUMENT", "invalid_request", Verdict.FINAL),
        ("UNAUTHENTICATED", "invalid_api_key", Verdict.FINAL),
        ("PERMISSION_DENIED", "permission_denied", Verdict.FINAL),
        ("NOT_FOUND", "not_found", Verdict.FINAL),
        ("RESOURCE_EXHAUSTED", "queue_full", Verdict.REFUSED),
        ("FAILED_PRECONDITION", "model_loading", Verdict.FINAL),
        ("DEADLINE_EXCEEDED", "inference_timeout", Verdict.FINAL),
        ("UNAVAILABLE", "engine_unavailable", Verdict.UNREACHABLE),
        ("CANCELLED", "engine_unavailable", Verdict.UNREACHABLE),
        ("INTERNAL", "server_error", Verdict.FINAL),
        ("UNKNOWN", "server_error", Verdict.FINAL),
    ],
)
def test_plain_statuses_have_a_meaning(status: str, code: str, verdict: Verdict) -> None:
    """Servers that attach no details are understood by their status."""
    failure = understand(_rpc_error(grpc.StatusCode[status], "said"))
    assert (failure.error.code, failure.verdict) == (code, verdict)


def test_what_a_broken_server_says_is_not_repeated() -> None:
    """Internal errors hold paths and addresses."""
    error = understand(_rpc_error(grpc.StatusCode.INTERNAL, "/srv/secret.py line 7")).error
    assert "secret" not in error.message


def test_grpcs_own_size_limit_is_no_full_queue() -> None:
    """It comes as RESOURCE_EXHAUSTED, but no other pod and no later time would help."""
    details = "CLIENT: Sent message larger than max (70000000 vs. 67108864)"
    failure = understand(_rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, details))
    assert (failure.error.code, failure.verdict) == ("image_file_too_large", Verdict.FINAL)


@pytest.mark.parametrize("broken", [b"\xff\xff\xff", b""])
def test_broken_details_leave_the_plain_status(broken: bytes) -> None:
    """A proxy may mangle them."""
    trailers = (("grpc-status-details-bin", broken),)
    failure = understand(_rpc_error(grpc.StatusCode.NOT_FOUND, "gone", trailers))
    assert failure.error.code == "not_found"


def test_details_of_other_domains_are_not_ours() -> None:
    """Their words mean something else."""
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason="invalid_pdf", domain="example.org"))
    packed = status_pb2.Status(details=[detail]).SerializeToString()
    failure = understand(_rpc_error(grpc.StatusCode.UNAVAILABLE, "", (("grpc-status-details-bin", packed),)))
    assert failure.error.code == "engine_unavailable"
