"""The gateway's REST API, as far as the page needs it. Every failure is a UiError."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pecia_ui.asking import Ask
from pecia_ui.calls import Calls, refused, understood, with_id
from pecia_ui.errors import Broken
from pecia_ui.events import DONE, events
from pecia_ui.job_calls import JobCalls
from pecia_ui.reading import Reading

_LIST_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model a caller may name, the engine that answers for it, and that engine's state."""

    id: str
    engine: str = ""
    state: str = ""


class Gateway(Calls):
    """Everything the page asks of the gateway."""

    __slots__ = ()

    @property
    def jobs(self) -> JobCalls:
        """What it asks about jobs."""
        return JobCalls(self)

    async def read(self, ask: Ask, on_text: Callable[[str], None]) -> Reading:
        """Read a picture; its text goes to `on_text` piece by piece as it is recognised.

        Raises:
            UiError: in the words a person at the page needs.
        """
        body = json.dumps(ask.body()).encode()
        headers = {"content-type": "application/json"}
        async with self.opened(
            "POST",
            "/v1/chat/completions",
            "text/event-stream",
            timeout_s=self.timeout_s,
            content=body,
            headers=headers,
        ) as response:
            return await _followed(response, on_text)

    async def models(self) -> list[ModelCard]:
        """What there is to choose from.

        Raises:
            UiError: as in `read`.
        """
        listed = await self.json("GET", "/v1/models", timeout_s=_LIST_TIMEOUT_S)
        with understood():
            return [
                ModelCard(str(card["id"]), str(card.get("engine") or ""), str(card.get("state") or ""))
                for card in listed["data"]
            ]


async def _followed(response: httpx.Response, on_text: Callable[[str], None]) -> Reading:
    text: list[str] = []
    ocr: dict[str, Any] = {}
    request_id = response.headers.get("x-request-id", "")
    async for event in events(response.aiter_bytes()):
        if isinstance(event, str):
            return Reading.from_stream("".join(text), ocr, request_id)
        if "error" in event:
            raise with_id(refused(event["error"]), request_id)
        ocr |= event.get("ocr") or {}
        for piece in _pieces(event):
            text.append(piece)
            on_text(piece)
    raise with_id(Broken(f"The answer broke off before its end ({DONE} is missing)."), request_id)


def _pieces(event: Mapping[str, Any]) -> list[str]:
    deltas = (choice.get("delta") or {} for choice in event.get("choices") or ())
    return [delta["content"] for delta in deltas if delta.get("content")]
