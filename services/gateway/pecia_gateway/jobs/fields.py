"""The text fields of a job's form -> what is wanted, each checked before any work."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TypeVar

from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import Priority, TaskType
from pecia_jobs.model import JobOptions

from pecia_gateway.body import checked
from pecia_gateway.jobs.selection import PageRange, parsed
from pecia_gateway.options import page_options
from pecia_gateway.prompts import task_of
from pecia_gateway.schemas.openai import PageRequest

_Value = TypeVar("_Value")
_PRIORITIES = {"low": Priority.FLEX, "default": Priority.DEFAULT, "high": Priority.PRIORITY}
_TEXT_LAYER = {"auto": True, "off": False}
_PAGE_FIELDS = ("model", "model_size", "task_type", "ref_text", "languages", "figures")
_LONGEST_PROMPT = 16_000
_LONGEST_PASSWORD = 1024
_LONGEST_URL = 2048
_DPI = (72.0, 600.0)
_SHOWN = 40
_LONGEST_WAIT_S = 366 * 86_400.0
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form says beside its document. `not_before` = seconds since 1970."""

    options: JobOptions
    pages: tuple[PageRange, ...]
    priority: Priority = Priority.DEFAULT
    not_before: float | None = None
    webhook_url: str = ""
    password: str = field(default="", repr=False)


def wanted(fields: Mapping[str, str], default_model: str, dpi: float, now: float) -> Wanted:
    """The fields, understood.

    Args:
        fields: as they came; those that are empty count as absent, unknown ones are passed over.
        default_model: of forms that name none.
        dpi: of forms that name none.
        now: seconds since 1970.

    Raises:
        InvalidRequest: naming the field at fault.
        NotFound: there is no such size of a model.
    """
    said = {name: value.strip() for name, value in fields.items() if value.strip()}
    return Wanted(
        options=JobOptions(
            prompt=_bounded(said, "prompt", _LONGEST_PROMPT),
            recognize=page_options(_page_request(said, default_model), said.get("prompt", "")),
            dpi=_dpi(said, dpi),
            text_layer=_word(said, "text_layer", _TEXT_LAYER, "auto"),
        ),
        pages=parsed(said.get("pages", "")),
        priority=_word(said, "priority", _PRIORITIES, "default"),
        not_before=_not_before(said, now),
        webhook_url=_bounded(said, "webhook_url", _LONGEST_URL),
        # As it is: a password may begin with a space.
        password=_bounded({"password": fields.get("password", "")}, "password", _LONGEST_PASSWORD),
    )


def idempotency_key(header: str) -> str:
    """What the caller calls this request; "" = nothing.

    Raises:
        InvalidRequest: longer than 255 characters, or with others than printable ones.
    """
    if header and not _IDEMPOTENCY_KEY.fullmatch(header):
        raise InvalidRequest(
            "Idempotency-Key has 1 to 255 printable ASCII characters without spaces, such as a UUID.",
            param="Idempotency-Key",
        )
    return header


def _page_request(said: Mapping[str, str], default_model: str) -> PageRequest:
    asked = {name: said[name] for name in _PAGE_FIELDS if name in said}
    asked.setdefault("model", default_model)
    if "task_type" not in asked and task_of(said.get("prompt", "")) is None:
        asked["task_type"] = TaskType.MARKDOWN.value  # the result of a job is a document
    return checked(PageRequest, asked)


def _bounded(said: Mapping[str, str], name: str, most: int) -> str:
    value = said.get(name, "")
    if len(value) > most:
        raise InvalidRequest(f"{name} may have {most:,} characters.", param=name)
    if "\x00" in value:
        raise InvalidRequest(f"{name} holds a character that no text has: leave it out.", param=name)
    return value


def _word(said: Mapping[str, str], name: str, words: Mapping[str, _Value], default: str) -> _Value:
    word = said.get(name, default).lower()
    if word not in words:
        raise InvalidRequest(
            f"{name} is {', '.join(words)}; not {word[:_SHOWN]!r}.", code="unsupported_value", param=name
        )
    return words[word]


def _dpi(said: Mapping[str, str], default: float) -> float:
    least, most = _DPI
    number = _number(said["dpi"]) if "dpi" in said else default
    if number is None or not least <= number <= most:
        raise InvalidRequest(
            f"dpi is a number from {least:g} to {most:g}.", code="unsupported_value", param="dpi"
        )
    return number


def _not_before(said: Mapping[str, str], now: float) -> float | None:
    if "not_before" not in said:
        return None
    text = said["not_before"]
    moment = _number(text)
    if moment is None:
        moment = _iso(text)
    if moment is None or moment < 0 or moment > now + _LONGEST_WAIT_S:
        raise InvalidRequest(
            "not_before is a time within a year, in seconds since 1970 or like 2030-01-31T08:00:00+07:00.",
            code="unsupported_value",
            param="not_before",
        )
    return moment


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        # Without a zone it is UTC: the caller's cannot be known.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
