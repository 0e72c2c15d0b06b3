"""Values as a column of somebody else's table wants them."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pecia_core.errors import InvalidRequest

_LONGEST_ID = 255
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ufffd]+")


def as_id(document_id: str, column: "sa.Column[Any]") -> str | int | UUID:
    """An id as the table keys its rows.

    Raises:
        InvalidRequest: it cannot be one.
    """
    if not _PRINTABLE.fullmatch(document_id) or len(document_id) > _LONGEST_ID:
        raise _bad_id("a text of 1 to 255 characters")
    try:
        if isinstance(column.type, sa.Uuid):
            return UUID(document_id)
        if isinstance(column.type, sa.Integer):
            return _whole(document_id, column.type)
    except ValueError:
        raise _bad_id(str(column.type).lower()) from None
    return document_id


def fitted(value: object, column: "sa.Column[Any]") -> object:
    """A value as the column keeps it: numbers and times by its type, objects as JSON or as text."""
    kind = column.type
    if isinstance(value, datetime):
        return _time(value, kind)
    if isinstance(value, float):
        return round(value) if isinstance(kind, sa.Integer) else _decimal(value, kind)
    if isinstance(value, dict) and not isinstance(kind, sa.JSON):
        return json.dumps(value, ensure_ascii=False)
    return value


def _whole(document_id: str, kind: "sa.Integer") -> int:
    bits = 63 if isinstance(kind, sa.BigInteger) else 31
    if not document_id.isascii() or abs(number := int(document_id)) >= 1 << bits:
        raise ValueError(document_id)
    return number


def _time(value: datetime, kind: object) -> object:
    if not isinstance(kind, sa.DateTime):
        return value.astimezone(UTC).isoformat()
    return value if kind.timezone else value.astimezone(UTC).replace(tzinfo=None)


def _decimal(value: float, kind: object) -> object:
    return str(round(value)) if isinstance(kind, sa.String) else value


def _bad_id(wanted: str) -> InvalidRequest:
    return InvalidRequest(
        f"This is not the id of a document: the table wants {wanted}. Push the id of a row.",
        code="unsupported_value",
    )
