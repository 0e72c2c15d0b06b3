"""A limit on request bodies that holds while they are read, not after."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from pecia_core.errors import InvalidRequest, Overloaded, PeciaError, TooLarge
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pecia_gateway.middleware.holding import BodyBudget, Holding
from pecia_gateway.middleware.refusal import Respond

_DISCONNECT: Message = {"type": "http.disconnect"}


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """What one body may be: bytes, and seconds it may stand still.

    `buffered` = the route keeps it in memory; otherwise it is written away as it comes, and takes nothing
    from the budget. Over `idle_s` all in all, it has to come with at least `least_rate` bytes a second.
    A refused client that is still sending is listened to for `drain_s` and `drain_bytes` more: a
    connection closed with bytes unread is reset, and the client would never see the refusal.
    """

    max_bytes: int
    buffered: bool = True
    idle_s: float = 30.0
    least_rate: float = 1024.0
    drain_s: float = 10.0
    drain_bytes: int = 256 * 1024 * 1024


class BodyLimit:
    """Counts a body while it arrives and refuses what is too large, before anything is kept."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        bounds: BodyBounds,
        budget: BodyBudget,
        respond: Respond,
        exceptions: Mapping[str, BodyBounds] | None = None,
    ) -> None:
        """Wrap `app`. `exceptions` = paths whose bodies have other bounds."""
        self._app = app
        self._bounds = bounds
        self._exceptions = exceptions or {}
        self._budget = budget
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        bounds = self._exceptions.get(scope["path"], self._bounds)
        holding = Holding(self._budget, lambda: scope["state"].get("tenant", ""))
        # What a route fetches for the request is held beside its body.
        scope.setdefault("state", {})["holding"] = holding
        gate = _Gate(bounds, holding, self._respond, (scope, receive, send))
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > bounds.max_bytes:
            gate.awaited = headers.get("expect", "").lower() == "100-continue"
            await gate.refuse(_too_large(bounds.max_bytes))
        else:
            await self._serve(gate, scope)
        await gate.close()

    async def _serve(self, gate: "_Gate", scope: Scope) -> None:
        try:
            await self._app(scope, gate.receive, gate.send)
        except ClientDisconnect:
            return  # nobody is left to answer, or the refusal was the answer
        finally:
            gate.holding.give_back()


class _Gate:
    """One request's way in and out. Once refused, the application hears that the client left."""

    def __init__(
        self, bounds: BodyBounds, holding: Holding, respond: Respond, asgi: tuple[Scope, Receive, Send]
    ) -> None:
        self._bounds = bounds
        self.holding = holding
        self._respond = respond
        self._scope, self._receive, self._send = asgi
        self._complete = False
        self._answering = False
        self._began = monotonic()
        self._open = False  # a refusal is out, its end is not
        self.taken = 0
        self.refused = False
        self.awaited = False  # the client waits for our leave before it sends the body

    async def receive(self) -> Message:
        if self.refused:
            return _DISCONNECT
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience_s()):
                message = await self._receive()
        except TimeoutError:
            return await self.refuse(InvalidRequest("The request body stood still, or came too slowly."))
        return await self._weigh(message)

    def _patience_s(self) -> float:
        bounds = self._bounds
        slowest_s = bounds.idle_s + self.taken / bounds.least_rate
        return min(bounds.idle_s, self._began + slowest_s - monotonic())

    async def _weigh(self, message: Message) -> Message:
        count = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self.taken + count > self._bounds.max_bytes:
            return await self.refuse(_too_large(self._bounds.max_bytes))
        if self._bounds.buffered:
            try:
                self.holding.take(count)
            except Overloaded as error:
                return await self.refuse(error)
        self.taken += count
        return message

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._answering = True
            await self._send(message)

    async def refuse(self, error: PeciaError) -> Message:
        self.refused = True
        if not self._answering:
            response = self._respond(error)
            response.headers["connection"] = "close"
            await response(self._scope, self._receive, self._send_open)
            self._open = True
        return _DISCONNECT

    async def close(self) -> None:
        """End a refusal, now that the application has let go of what it had read."""
        if self._open:
            await self._drain()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_open(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await self._send(message)

    async def _drain(self) -> None:
        if self._complete or self.awaited:
            return
        drained = 0
        try:
            async with asyncio.timeout(self._bounds.drain_s):
                while drained < self._bounds.drain_bytes:
                    message = await self._receive()
                    drained += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The request body is over the limit of {limit:,} bytes. Send fewer or smaller files.",
        code="request_too_large",
    )
