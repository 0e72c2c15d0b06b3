"""The gateway's REST API, as far as the page needs it. Every failure is a UiError."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from pecia_ui.asking import Ask
from pecia_ui.errors import Broken, Refused, TimedOut, UiError, Unreachable
from pecia_ui.events import DONE, events
from pecia_ui.reading import Reading

_LIST_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model a caller may name, the engine that answers for it, and that engine's state."""

    id: str
    engine: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where to call and as whom. Times in seconds. The key is shown by no repr."""

    base: str
    key: str = field(default="", repr=False)
    timeout_s: float = 300.0
    connect_timeout_s: float = 5.0
    tls: ssl.SSLContext | None = None

    async def read(self, ask: Ask, on_text: Callable[[str], None]) -> Reading:
        """Read a picture; its text goes to `on_text` piece by piece as it is recognised.

        Raises:
            UiError: in the words a person at the page needs.
        """
        async with self._guarded(self.timeout_s), self._http() as http:
            body = json.dumps(ask.body()).encode()
            headers = {"content-type": "application/json"}
            async with http.stream("POST", "/v1/chat/completions", content=body, headers=headers) as response:
                await self._expect(response, "text/event-stream")
                return await _followed(response, on_text)

    async def models(self) -> list[ModelCard]:
        """What there is to choose from.

        Raises:
            UiError: as in `read`.
        """
        async with self._guarded(_LIST_TIMEOUT_S), self._http() as http:
            async with http.stream("GET", "/v1/models") as response:
                await self._expect(response, "application/json")
                listed = json.loads(await response.aread())["data"]
            return [
                ModelCard(str(card["id"]), str(card.get("engine") or ""), str(card.get("state") or ""))
                for card in listed
            ]

    def _http(self) -> httpx.AsyncClient:
        if not self.key.isascii() or not self.key.isprintable():
            raise Refused("The API key holds characters that no key has.", status=401, code="invalid_api_key")
        return httpx.AsyncClient(
            base_url=self.base,
            headers={"authorization": f"Bearer {self.key}"} if self.key else {},
            timeout=httpx.Timeout(None, connect=self.connect_timeout_s),
            trust_env=False,
            verify=self.tls or True,
        )

    async def _expect(self, response: httpx.Response, media_type: str) -> None:
        if not response.is_success:
            await response.aread()
            raise _refusal(response)
        if not response.headers.get("content-type", "").startswith(media_type):
            raise Broken(
                f"What answers at {self.base} is not a pecia gateway.",
                next_step="Tell whoever runs this page to check API_BASE.",
            )

    @asynccontextmanager
    async def _guarded(self, timeout_s: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except UiError:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
            raise Unreachable(f"Nothing answers at {self.base}.") from failure
        except (httpx.TimeoutException, TimeoutError) as failure:
            raise TimedOut(
                f"There was no answer within {timeout_s:g} seconds.",
                next_step="Make the picture smaller, or try again when the service is less busy.",
            ) from failure
        except httpx.HTTPError as failure:
            raise Broken("The connection to the gateway broke.", next_step="Try again.") from failure
        except (ValueError, KeyError, TypeError, AttributeError) as failure:
            raise Broken("The gateway's answer makes no sense to this page.") from failure


async def _followed(response: httpx.Response, on_text: Callable[[str], None]) -> Reading:
    text: list[str] = []
    ocr: dict[str, Any] = {}
    request_id = response.headers.get("x-request-id", "")
    async for event in events(response.aiter_bytes()):
        if isinstance(event, str):
            return Reading.from_stream("".join(text), ocr, request_id)
        if "error" in event:
            raise _with_id(_refused(event["error"]), request_id)
        ocr |= event.get("ocr") or {}
        for piece in _pieces(event):
            text.append(piece)
            on_text(piece)
    raise _with_id(Broken(f"The answer broke off before its end ({DONE} is missing)."), request_id)


def _pieces(event: Mapping[str, Any]) -> list[str]:
    deltas = (choice.get("delta") or {} for choice in event.get("choices") or ())
    return [delta["content"] for delta in deltas if delta.get("content")]


def _refusal(response: httpx.Response) -> UiError:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    said = body.get("error") if isinstance(body, dict) else None
    if not isinstance(said, dict):
        detail = body.get("detail") if isinstance(body, dict) else None
        said = {"message": detail if isinstance(detail, str) else None}
    refused = _refused(said, response.status_code)
    refused.retry_after = _seconds(response.headers.get("retry-after", ""))
    return _with_id(refused, response.headers.get("x-request-id", ""))


def _refused(said: Mapping[str, Any], status: int = 0) -> UiError:
    message = said.get("message") or f"The gateway answered HTTP {status} without saying why."
    return Refused(str(message), status=status, code=str(said.get("code") or ""))


def _with_id(error: UiError, request_id: str) -> UiError:
    error.request_id = request_id
    return error


def _seconds(header: str) -> float | None:
    try:
        return float(header)
    except ValueError:
        return None
