"""Calls to the gateway: where, as whom, how long, and every failure as a UiError."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from pecia_ui.errors import Broken, Refused, TimedOut, UiError, Unreachable


@dataclass(frozen=True, slots=True)
class Calls:
    """Where to call and as whom. Times in seconds. The key is shown by no repr."""

    base: str
    key: str = field(default="", repr=False)
    timeout_s: float = 300.0
    connect_timeout_s: float = 5.0
    tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        path: str,
        media_type: str,
        *,
        timeout_s: float | None,
        **content: Any,  # noqa: ANN401 - httpx's own arguments
    ) -> AsyncIterator[httpx.Response]:
        """An answer of that media type whose body is still to come.

        Args:
            method: as HTTP names it.
            path: below the gateway's address.
            media_type: what the answer must be; empty = anything.
            timeout_s: for all of it; None = as long as it takes.
            content: handed to httpx.

        Raises:
            UiError: in the words a person at the page needs.
        """
        async with (
            self._guarded(timeout_s),
            self._http() as http,
            http.stream(method, path, **content) as response,
        ):
            await self._expect(response, media_type)
            yield response

    async def json(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float | None = None,
        **content: Any,  # noqa: ANN401 - httpx's own arguments
    ) -> Mapping[str, Any]:
        """The JSON object of an answer; raises as `opened`."""
        wait = timeout_s or self.timeout_s
        async with self.opened(method, path, "application/json", timeout_s=wait, **content) as response:
            body: Mapping[str, Any] = json.loads(await response.aread())
            return body

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
    async def _guarded(self, timeout_s: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_s):
                with understood():
                    yield
        except UiError:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
            raise Unreachable(f"Nothing answers at {self.base}.") from failure
        except (httpx.TimeoutException, TimeoutError) as failure:
            raise TimedOut(
                f"There was no answer within {timeout_s or self.timeout_s:g} seconds.",
                next_step="Make the picture smaller, or try again when the service is less busy.",
            ) from failure
        except httpx.HTTPError as failure:
            raise Broken("The connection to the gateway broke.", next_step="Try again.") from failure


@contextmanager
def understood() -> Iterator[None]:
    """What is not as it should be in an answer is the gateway's fault, and said so."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise Broken("The gateway's answer makes no sense to this page.") from failure


def _refusal(response: httpx.Response) -> UiError:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    said = body.get("error") if isinstance(body, dict) else None
    if not isinstance(said, dict):
        detail = body.get("detail") if isinstance(body, dict) else None
        said = {"message": detail if isinstance(detail, str) else None}
    error = refused(said, response.status_code)
    error.retry_after = _seconds(response.headers.get("retry-after", ""))
    return with_id(error, response.headers.get("x-request-id", ""))


def refused(said: Mapping[str, Any], status: int = 0) -> UiError:
    """The error a gateway's error object stands for; `status` 0 = it came within a stream."""
    message = said.get("message") or f"The gateway answered HTTP {status} without saying why."
    return Refused(str(message), status=status, code=str(said.get("code") or ""))


def with_id(error: UiError, request_id: str) -> UiError:
    """The same error, and which call it was."""
    error.request_id = request_id
    return error


def _seconds(header: str) -> float | None:
    try:
        return float(header)
    except ValueError:
        return None
