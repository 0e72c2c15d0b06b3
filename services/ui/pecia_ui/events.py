"""Server-sent events out of a stream of bytes."""

import json
from collections.abc import AsyncIterator
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
