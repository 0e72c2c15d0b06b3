"""The body of every refusal."""

from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """What went wrong, as OpenAI clients read it."""

    message: str = Field(description="A sentence for people; says what to do next.")
    type: str = Field(description="Family of the problem.", examples=["invalid_request_error"])
    param: str | None = Field(description="The field at fault.", examples=["model_size"])
    code: str = Field(description="A stable word for programs.", examples=["unsupported_value"])


class ProblemBody(BaseModel):
    """Both keys say the same: `error` is what OpenAI clients read, `detail` what older ones do."""

    error: Problem
    detail: str = Field(description="The same message.")


_DESCRIPTIONS = {
    400: "The request, a picture or a URL cannot be used; `param` names the field.",
    401: "No API key, or one that does not work.",
    403: "This key lacks the scope; the code names it.",
    404: "There is no such thing; for models, the message lists what there is.",
    409: "It cannot be done as things stand, or the same idempotency key was used for another request.",
    410: "It was there, and will not be again.",
    413: "More bytes, pixels or files than the limits allow.",
    415: "A kind of body or file that is not read here.",
    429: "No room now: `Retry-After` says when to come back.",
    500: "Something broke; the log has the cause under this request id.",
    503: "Nobody can answer now, or the model is loading: `Retry-After` says when to come back.",
    504: "The time given ran out.",
    507: "The engine has too little memory for this page.",
}
# What reading pages may end in.
READING = (400, 401, 403, 404, 413, 415, 429, 500, 503, 504, 507)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These refusals, for the OpenAPI document."""
    return {status: {"model": ProblemBody, "description": _DESCRIPTIONS[status]} for status in statuses}
