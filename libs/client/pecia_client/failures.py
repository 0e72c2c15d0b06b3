"""From an HTTP answer back to the error family, and what a person can do about each code."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
from pecia_core.errors import (
    ERROR_CODES,
    Conflict,
    DeadlineExceeded,
    EngineFailed,
    InvalidRequest,
    NotFound,
    Overloaded,
    PeciaError,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
    from_code,
)

# For answers that carry no code of ours: a proxy's, or a newer service's.
_BY_STATUS: dict[int, type[PeciaError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: InvalidRequest,
    422: InvalidRequest,
    429: Overloaded,
    502: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}
_NEXT_STEPS: dict[str, str] = {
    "invalid_api_key": "Give a key with --api-key or PECIA_API_KEY; `pecia keys create` makes one.",
    "permission_denied": "Ask whoever runs the gateway to let this key do it.",
    "model_not_found": "`pecia models` lists what this gateway has.",
    "unsupported_value": "`pecia ocr --help` lists the values.",
    "unsupported_image_media_type": "Convert the file to PNG, JPEG, WEBP, BMP, TIFF or PDF.",
    "invalid_image": "Open the file in a viewer: it may be damaged or not a picture.",
    "empty_image_file": "The file has no bytes; make it again.",
    "image_file_too_large": "Make the picture smaller or save it as JPEG.",
    "image_too_large": "Scale the picture down.",
    "request_too_large": "Send fewer or smaller files at a time.",
    "pdf_too_many_pages": "`pecia jobs submit` takes long documents.",
    "pdf_encrypted": "`pecia jobs submit --password-prompt` asks for its password.",
    "not_found": "`pecia jobs list` shows your jobs; another key's jobs are not shown.",
    "job_not_completed": "`pecia jobs watch` waits for it; `pecia jobs get --partial` gives what is done.",
    "job_page_not_ready": "`pecia jobs watch` shows which pages are done.",
    "job_page_not_drawable": "`pecia jobs get --page` gives its text, where it could be read.",
    "document_gone": "`pecia jobs submit` makes a new job of it.",
    "job_finished": "`pecia jobs status` shows how it ended.",
    "idempotency_conflict": "Give another --idempotency-key, or none.",
    "job_limit_reached": "`pecia jobs delete` makes room: delete a job that ended.",
    "storage_full": "`pecia jobs delete` makes room: delete a job that ended.",
    "store_unavailable": "Try again in a moment; jobs that are there go on by themselves.",
    "queue_full": "Try again in a moment, or lower --concurrency.",
    "rate_limit_exceeded": "Wait, or lower --concurrency.",
    "model_loading": "The model is being loaded; try again in a few seconds.",
    "engine_unavailable": "Is it running? `pecia up` starts everything on this machine.",
    "draining": "The service is being restarted; try again in a few seconds.",
    "inference_timeout": "Raise PECIA_API_TIMEOUT_S, or make the picture smaller.",
    "gpu_out_of_memory": "Choose a smaller --size.",
    "server_error": "Look for the request id in the service's log.",
}


def next_step(error: PeciaError) -> str:
    """What the caller can do, for a person at a terminal; empty = the message says it all."""
    return _NEXT_STEPS.get(error.code, "")


def from_response(response: httpx.Response) -> PeciaError:
    """The error an HTTP answer stands for; its body must have been read."""
    said = _error_object(response.content)
    message = said.get("message") or f"The gateway answered HTTP {response.status_code} without saying why."
    error = known_or(str(said.get("code") or ""), message, _BY_STATUS.get(response.status_code, EngineFailed))
    error.param = said.get("param")
    error.retry_after = _seconds(response.headers)
    error.request_id = response.headers.get("x-request-id", "")
    return error


def from_event(said: Mapping[str, Any], request_id: str) -> PeciaError:
    """The error that ended a stream after its first byte."""
    message = said.get("message") or "The gateway ended the stream with an error."
    error = known_or(str(said.get("code") or ""), message, EngineFailed)
    error.param = said.get("param")
    error.request_id = request_id
    return error


def from_transport(failure: httpx.TransportError, base_url: str) -> PeciaError:
    """The error for an answer that never came."""
    if isinstance(failure, httpx.TimeoutException) and not isinstance(failure, httpx.ConnectTimeout):
        return DeadlineExceeded(f"{base_url} did not answer in time.")
    if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout):
        return Unavailable(f"Nothing answers at {base_url}.")
    return Unavailable(f"The connection to {base_url} broke: {failure}")


def known_or(code: str, message: str, fallback: type[PeciaError]) -> PeciaError:
    """The error a code names; where the code is not ours, what its status suggests, code and all."""
    if code in ERROR_CODES:
        return from_code(code, message)
    return fallback(f"{message} ({code})" if code else message)


def _error_object(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    said = parsed.get("error") if isinstance(parsed, dict) else None
    if isinstance(said, dict):
        return said
    detail = parsed.get("detail") if isinstance(parsed, dict) else None
    return {"message": detail} if isinstance(detail, str) else {}


def _seconds(headers: httpx.Headers) -> float | None:
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
