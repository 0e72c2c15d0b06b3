"""HTTP to the gateway: one pool of connections, what is tried again and when, and errors as types."""

import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pecia_core.errors import PeciaError

from pecia_client.failures import from_response, from_transport
from pecia_client.reading import Json

_LONGEST_WAIT_S = 60.0
_CONNECT_TIMEOUT_S = 10.0
# While a gateway is restarted, whatever stands before it says one of these.
_AWAY = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a refused call is tried again; seconds to wait where the gateway does not say."""

    times: int = 2
    first_wait_s: float = 0.5

    def wait_s(self, attempt: int, asked: float | None) -> float:
        """Seconds before attempt number `attempt + 1`; `asked` is what the gateway wants."""
        wait = self.first_wait_s * 2**attempt if asked is None else asked
        return min(wait, _LONGEST_WAIT_S)


@dataclass(frozen=True, slots=True)
class _Miss:
    """A call without success. `lost`: it may have been done all the same; `worth_it`: a retry helps."""

    error: PeciaError
    lost: bool = False
    worth_it: bool = False


class Connection:
    """Where to call and as whom. Every failure is a PeciaError."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        retries: Retries,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Open a pool; nothing is sent yet. `base_url` may end in /v1; `timeout_s` is for an answer."""
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        self.retries = retries
        self._timeout = httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S)
        self._http = httpx.Client(
            base_url=self.base_url, headers=headers, timeout=self._timeout, verify=tls or True
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def answers(self, path: str) -> bool:
        """Whether a GET succeeds now; False also when nothing listens."""
        try:
            return self._http.get(path).is_success
        except httpx.TransportError:
            return False

    def json(self, path: str, **content: Any) -> Json:  # noqa: ANN401 - httpx's own arguments
        """The JSON object behind an address; asking twice changes nothing, so it is asked again."""
        body: Json = self.send("GET", path, repeatable=True, **content).json()
        return body

    def send(self, method: str, path: str, *, repeatable: bool = False, **content: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own arguments
        """Call and wait for the answer.

        Args:
            method: as HTTP names it.
            path: below the gateway's address.
            repeatable: the call may be made twice, so one whose answer was lost is made again.
            content: handed to httpx.

        Raises:
            PeciaError: refused, or nobody answered, after all retries.
        """
        attempt = 0
        while True:
            answer = self._once(method, path, content)
            if isinstance(answer, httpx.Response):
                return answer
            again = answer.worth_it or (repeatable and answer.lost)
            if attempt == self.retries.times or not again:
                raise answer.error
            time.sleep(self.retries.wait_s(attempt, answer.error.retry_after))
            attempt += 1

    def _once(self, method: str, path: str, content: Mapping[str, Any]) -> httpx.Response | _Miss:
        try:
            with self._translated():
                response = self._http.request(method, path, **content)
        except PeciaError as error:
            return _Miss(error, lost=True)
        if response.is_success:
            return response
        lost = response.status_code in _AWAY
        return _Miss(from_response(response), lost=lost, worth_it=_worth_retrying(response))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        silence_s: float | None = None,
        **content: Any,  # noqa: ANN401 - httpx's own arguments
    ) -> Iterator[httpx.Response]:
        """An answer whose body is still to come; after `silence_s` without a byte it is given up."""
        timeout = httpx.Timeout(silence_s, connect=_CONNECT_TIMEOUT_S) if silence_s else self._timeout
        with (
            self._translated(),
            self._http.stream(method, path, timeout=timeout, **content) as response,
        ):
            if not response.is_success:
                response.read()
                raise from_response(response)
            yield response

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as failure:
            raise from_transport(failure, self.base_url) from failure


def data_events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of events up to [DONE]; comments are passed over."""
    for line in response.iter_lines():
        if line.startswith("data:") and (payload := line[5:].strip()) != "[DONE]":
            yield json.loads(payload)


def request_id(response: httpx.Response) -> str:
    """The call's id in the gateway's log; empty where it gives none."""
    return str(response.headers.get("x-request-id", ""))


def _worth_retrying(response: httpx.Response) -> bool:
    asked = response.headers.get("x-should-retry")
    if asked is not None:
        return bool(asked == "true")
    return response.status_code in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
