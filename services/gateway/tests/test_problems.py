"""Errors as clients see them."""

from typing import Any

import pytest
from pecia_core import errors
from pecia_gateway.problems import STATUS, problem_of, response_of, status_of


def subclasses() -> list[type[errors.PeciaError]]:
    """Every kind of error there is."""
    return sorted(set(errors.ERROR_CODES.values()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", subclasses())
def test_every_error_has_a_status(kind: type[errors.PeciaError]) -> None:
    """A new kind of error without a status would be found here, not in production."""
    assert kind in STATUS


@pytest.mark.parametrize(
    ("code", "status", "type_"),
    [
        ("invalid_image", 400, "invalid_request_error"),
        ("unsupported_value", 400, "invalid_request_error"),
        ("invalid_api_key", 401, "authentication_error"),
        ("permission_denied", 403, "permission_error"),
        ("model_not_found", 404, "not_found_error"),
        ("image_file_too_large", 413, "invalid_request_error"),
        ("unsupported_image_media_type", 415, "invalid_request_error"),
        ("queue_full", 429, "rate_limit_error"),
        ("server_error", 500, "server_error"),
        ("model_loading", 503, "server_error"),
        ("inference_timeout", 504, "server_error"),
        ("gpu_out_of_memory", 507, "server_error"),
    ],
)
def test_codes_have_their_status_and_type(code: str, status: int, type_: str) -> None:
    """Status and type are the documented ones, and both keys of the body say the same."""
    error = errors.from_code(code, "What to do.", param="file")
    response = response_of(error)
    assert response.status_code == status == status_of(error)
    assert response.media_type == "application/json"
    assert problem_of(error).model_dump() == {
        "message": "What to do.",
        "type": type_,
        "param": "file",
        "code": code,
    }


@pytest.mark.parametrize(
    ("code", "retry_after", "headers"),
    [
        ("queue_full", 7.2, {"retry-after": "8", "x-should-retry": "true"}),
        ("queue_full", 4000, {"retry-after": "60", "x-should-retry": "true"}),
        ("queue_full", None, {"retry-after": "1", "x-should-retry": "true"}),
        ("model_loading", 1, {"retry-after": "5", "x-should-retry": "true"}),
        ("model_loading", 300, {"retry-after": "30", "x-should-retry": "true"}),
        ("engine_unavailable", None, {"retry-after": "1", "x-should-retry": "true"}),
        ("inference_timeout", None, {"x-should-retry": "false"}),
        ("gpu_out_of_memory", None, {"x-should-retry": "false"}),
        ("server_error", None, {"x-should-retry": "false"}),
        ("invalid_image", None, {}),
        ("invalid_api_key", None, {"www-authenticate": "Bearer"}),
    ],
)
def test_clients_are_told_whether_to_try_again(
    code: str, retry_after: float | None, headers: dict[str, Any]
) -> None:
    """Clients retry every 429 and 5xx by themselves unless told; above a minute they would give up."""
    response = response_of(errors.from_code(code, "x", retry_after=retry_after))
    told = {"retry-after", "x-should-retry", "www-authenticate"} & set(response.headers)
    assert {name: response.headers[name] for name in told} == headers
