"""The id of the request a piece of code works for; it follows awaits and tasks by itself."""

from contextvars import ContextVar
from uuid import uuid4

# Empty outside a request.
request_id: ContextVar[str] = ContextVar("request_id", default="")


def new_request_id() -> str:
    """An id nobody else has."""
    return f"req_{uuid4().hex}"
