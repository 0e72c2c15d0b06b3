"""A JSON body -> a checked request. What is wrong is said in OpenAI's words, not FastAPI's."""

from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic_core
from fastapi import Request
from pecia_core.errors import InvalidRequest, TooLarge, UnsupportedDocument
from pydantic import BaseModel, ValidationError

from pecia_gateway.schemas import openai

_Request = TypeVar("_Request", bound=BaseModel)
# curl's default is tolerated: many a first request is `curl -d '{...}'`.
_TOLERATED_TYPES = ("", "application/x-www-form-urlencoded")
_MAX_NAME = 64
# A body full of `[],` becomes hundreds of times larger when it is read, and holds up everybody meanwhile.
_MAX_VALUES = 50_000
_SEPARATORS = (b",", b":", b"[", b"{")


async def read_json(request: Request) -> dict[str, Any]:
    """The body, which is a JSON object.

    Raises:
        UnsupportedDocument: it is declared to be something else.
        InvalidRequest: it is not JSON, or no object.
        TooLarge: more bytes than the limit, while reading; or more values than any honest request has.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _TOLERATED_TYPES and not media_type.endswith(("/json", "+json")):
        raise UnsupportedDocument(
            "The body has to be JSON: send Content-Type: application/json.",
            code="unsupported_media_type",
        )
    content = await request.body()
    _refuse_crowds(content)
    try:
        body = pydantic_core.from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body has to be a JSON object.")
    return body


def _refuse_crowds(content: bytes) -> None:
    # Counted before parsing, at the speed of memory; base64 has none of these characters.
    if sum(content.count(separator) for separator in _SEPARATORS) > _MAX_VALUES:
        raise TooLarge(
            f"The JSON holds more than {_MAX_VALUES:,} values or punctuation marks. Send fewer messages.",
            code="request_too_large",
        )


def merged(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `body` and of its `extra_body`: the top level wins, null is absent."""
    extra = body.get("extra_body") or {}
    if not isinstance(extra, dict):
        raise InvalidRequest("extra_body has to be an object.", param="extra_body")
    both = {**_present(extra), **_present(body)}
    both.pop("extra_body", None)
    return both


def checked(kind: type[_Request], fields: Mapping[str, Any]) -> _Request:
    """The request these fields make.

    Raises:
        InvalidRequest: naming the field at fault.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise _problem(error) from error


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _problem(error: ValidationError) -> InvalidRequest:
    # A union reports one error for each of its members: the deepest is what the caller meant.
    worst = max(error.errors(include_input=False, include_url=False), key=lambda one: len(one["loc"]))
    param = _path(worst["loc"])
    if worst["type"] == "missing":
        return InvalidRequest(
            f"{param} is missing: add it to the request.", code="missing_required_parameter", param=param
        )
    code = "unsupported_value" if worst["type"] == "literal_error" else "invalid_request"
    return InvalidRequest(f"{param}: {worst['msg']}.", code=code, param=param)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step in _FIELD_NAMES:
            path += f".{step}" if path else step
    return path[:_MAX_NAME] or "body"


def _field_names() -> frozenset[str]:
    kinds = (kind for kind in vars(openai).values() if isinstance(kind, type) and issubclass(kind, BaseModel))
    return frozenset(name for kind in kinds for name in kind.model_fields)


# pydantic's locations also name the members of unions, which say nothing to a caller.
_FIELD_NAMES = _field_names()
