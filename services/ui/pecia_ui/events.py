"""Server-sent events out of a stream of bytes."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

DONE = "[DONE]"
_FIELD = b"data:"


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any] | str]:
    """Each event's JSON object, and DONE. Comments (keep-alives) are passed over.

    Lines end at newlines only: text may hold any other separator Unicode knows.

    Raises:
        ValueError: an event that is no JSON object.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(_FIELD):
                yield _parsed(line[len(_FIELD) :].strip())


def _parsed(data: bytes) -> dict[str, Any] | str:
    if data == DONE.encode():
        return DONE
    event = json.loads(data)
    if not isinstance(event, dict):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - as json.loads says it
    return event


@dataclass(frozen=True, slots=True)
class Event:
    """One event with its number and its kind."""

    id: str
    kind: str
    body: dict[str, Any]


async def named_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Event, None]:
    """Events with a name and an id, each when the empty line after it has come; others are passed over.

    Raises:
        ValueError: an event that is no JSON object.
    """
    rest, said = b"", dict[bytes, bytes]()
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.rstrip(b"\r").partition(b":")
            if name:
                said[name] = value.removeprefix(b" ")
            elif not line.startswith(b":"):
                if b"data" in said and b"event" in said:
                    yield _named(said)
                said = {}


def _named(said: dict[bytes, bytes]) -> Event:
    body = _parsed(said[b"data"])
    if isinstance(body, str):
        raise ValueError("an event is a JSON object")  # noqa: TRY004 - as json.loads says it
    return Event(said.get(b"id", b"").decode(), said[b"event"].decode(), body)
