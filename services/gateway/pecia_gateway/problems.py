"""What went wrong -> HTTP status, headers and an OpenAI error body. Nothing else builds statuses."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pecia_core import errors
from pecia_core.limits import clamp_retry_after
from starlette.exceptions import HTTPException

from pecia_gateway.schemas.problem import Problem, ProblemBody

CLIENT_CLOSED_REQUEST = 499
STATUS: dict[type[errors.PeciaError], int] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.InvalidDocument: HTTPStatus.BAD_REQUEST,
    errors.UnsupportedDocument: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.PermissionDenied: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.Overloaded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Cancelled: CLIENT_CLOSED_REQUEST,
    errors.OutOfMemory: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.EngineFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_TYPES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.GONE: "not_found_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
# Statuses that clients of OpenAI retry by themselves unless told not to.
_RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
# Seconds. Loading takes longer than a place in a queue, and nobody should wait a whole minute for it.
_RETRY_AFTER = (1, 60)
_RETRY_AFTER_LOADING = (5, 30)
_MESSAGES: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address: /docs lists what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method: /docs says which it takes.",
}
_CODES: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
}


def problem_of(error: errors.PeciaError) -> Problem:
    """The problem as clients read it."""
    return Problem(message=error.message, type=_type(status_of(error)), param=error.param, code=error.code)


def status_of(error: errors.PeciaError) -> int:
    """The HTTP status of an error's class."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def response_of(error: errors.PeciaError) -> JSONResponse:
    """The whole answer: status, body, and whether and when to try again."""
    return _response(status_of(error), problem_of(error), _headers(error))


def add_problem_handlers(app: FastAPI) -> None:
    """Give every error of the routes and of the framework the one shape."""
    app.add_exception_handler(errors.PeciaError, _on_pecia_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_pecia_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.PeciaError)  # noqa: S101 - registered for nothing else
    response = response_of(error)
    # Refused callers, too, want to know what they have left.
    response.headers.update(getattr(request.state, "rate_headers", {}))
    return response


async def _on_validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    worst = error.errors()[0]
    param = ".".join(str(step) for step in worst["loc"][1:])
    return response_of(errors.InvalidRequest(f"{param}: {worst['msg']}.", param=param or None))


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    message = _MESSAGES.get(error.status_code, str(error.detail))
    code = _CODES.get(error.status_code, errors.InvalidRequest.default_code)
    problem = Problem(message=message, type=_type(error.status_code), param=None, code=code)
    return _response(error.status_code, problem, error.headers or {})


def _response(status: int, problem: Problem, headers: Mapping[str, str]) -> JSONResponse:
    body = ProblemBody(error=problem, detail=problem.message)
    return JSONResponse(body.model_dump(), status, headers=dict(headers))


def _type(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error"
    return _TYPES.get(status, "invalid_request_error")


def _headers(error: errors.PeciaError) -> dict[str, str]:
    headers = {}
    status = status_of(error)
    if error.retryable:
        least, most = _RETRY_AFTER_LOADING if error.code == "model_loading" else _RETRY_AFTER
        headers["retry-after"] = str(min(max(clamp_retry_after(error.retry_after or least), least), most))
    if error.retryable or status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers["x-should-retry"] = "true" if error.retryable else "false"
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return headers
