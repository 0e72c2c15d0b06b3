"""Events of pages -> server-sent events in OpenAI's two shapes."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi.responses import Response
from pecia_core import errors
from pecia_core.recognition import Delta, Event, Recognition, Started
from starlette.types import Receive, Scope, Send

from pecia_gateway.disconnection import while_connected
from pecia_gateway.problems import problem_of
from pecia_gateway.rendering import Head, Reading, extension_of, finish_of, usage_of
from pecia_gateway.schemas.completions import OpenAIFinish

log = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
Json = dict[str, Any]
# None = nothing happened for a while.
Pulse = Event | None


class ChunkShape(Protocol):
    """How a surface writes a choice."""

    object: str

    def opening(self, index: int) -> Json | None:
        """What comes before any text."""
        ...

    def piece(self, index: int, text: str) -> Json:
        """Some text."""
        ...

    def ending(self, index: int, reason: OpenAIFinish) -> Json:
        """Why there is no more."""
        ...


class ChatChunks:
    """Of /v1/chat/completions."""

    object = "chat.completion.chunk"

    def opening(self, index: int) -> Json | None:
        """The role."""
        return self._choice(index, {"role": "assistant", "content": ""}, None)

    def piece(self, index: int, text: str) -> Json:
        """Some content."""
        return self._choice(index, {"content": text}, None)

    def ending(self, index: int, reason: OpenAIFinish) -> Json:
        """An empty delta with the reason."""
        return self._choice(index, {}, reason)

    @staticmethod
    def _choice(index: int, delta: Json, reason: OpenAIFinish | None) -> Json:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


class TextChunks:
    """Of /v1/completions."""

    object = "text_completion"

    def opening(self, index: int) -> Json | None:  # noqa: ARG002 - the older surface opens with nothing
        """Nothing."""
        return None

    def piece(self, index: int, text: str) -> Json:
        """Some text."""
        return {"index": index, "text": text, "logprobs": None, "finish_reason": None}

    def ending(self, index: int, reason: OpenAIFinish) -> Json:
        """No text, and the reason."""
        return {"index": index, "text": "", "logprobs": None, "finish_reason": reason}


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    """Writes the chunks of one answer."""

    head: Head
    shape: ChunkShape
    include_usage: bool = False

    def choice(self, choice: Json, **more: object) -> bytes:
        """A chunk with one choice; its usage is null when usage comes at the end."""
        usage = {"usage": None} if self.include_usage else {}
        return self._chunk(choices=[choice], **usage, **more)

    def usage(self, readings: list[Reading]) -> bytes:
        """The chunk without choices that tells the usage."""
        return self._chunk(choices=[], usage=usage_of(readings).model_dump())

    def _chunk(self, **fields: object) -> bytes:
        head = self.head
        envelope = {"id": head.id, "object": self.shape.object, "created": head.created, "model": head.model}
        return data_frame({**envelope, **fields})


@dataclass(frozen=True, slots=True)
class Run:
    """One reading of all pages, told to the choices `indexes`."""

    pulses: AsyncIterator[Pulse]
    indexes: tuple[int, ...]


async def frames(
    writer: ChunkWriter, runs: AsyncIterator[Run], on_problem: Callable[[errors.PeciaError], None]
) -> AsyncGenerator[bytes, None]:
    """The whole stream. What goes wrong now is told inside it, since the status is out already."""
    readings: list[Reading] = []
    try:
        async for run in runs:
            async for frame in _run_frames(writer, run, readings):
                yield frame
        if writer.include_usage:
            yield writer.usage(readings)
    except errors.PeciaError as error:
        on_problem(error)
        yield _error_frame(error)
    except Exception:
        log.exception("Unexpected failure of a stream")
        broken = errors.EngineFailed("Something broke in the gateway; its log has the cause.")
        on_problem(broken)
        yield _error_frame(broken)
    yield DONE


async def _run_frames(writer: ChunkWriter, run: Run, readings: list[Reading]) -> AsyncIterator[bytes]:
    for index in run.indexes:
        if opening := writer.shape.opening(index):
            yield writer.choice(opening)
    pages: list[Recognition] = []
    async for pulse in run.pulses:
        match pulse:
            case None:
                yield KEEP_ALIVE
            case Delta(text=text) if text:
                for index in run.indexes:
                    yield writer.choice(writer.shape.piece(index, text))
            case Recognition():
                pages.append(pulse)
            case _:
                pass
    readings.append(Reading(tuple(pages), ""))
    extension = extension_of(pages, writer.head.warnings).model_dump()
    for index in run.indexes:
        more = {} if index else {"ocr": extension}
        yield writer.choice(writer.shape.ending(index, finish_of(pages)), **more)


async def with_pulse(events: AsyncGenerator[Event, None], every_s: float) -> AsyncGenerator[Pulse, None]:
    """The same events, and None after each `every_s` seconds of silence."""
    waiting: asyncio.Future[Event | None] | None = None
    try:
        while True:
            waiting = asyncio.ensure_future(_next(events))
            while not (await asyncio.wait({waiting}, timeout=every_s))[0]:
                yield None
            event = waiting.result()
            if event is None:
                return
            yield event
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await events.aclose()


async def opened(pulses: AsyncGenerator[Pulse, None]) -> tuple[Started | None, AsyncGenerator[Pulse, None]]:
    """Wait until there is something to send: text, the end of a page, or one silence.

    Until then an error is raised here and can still become an HTTP status.

    Returns:
        Who began to read, if anybody has, and all pulses from the first.
    """
    seen: list[Pulse] = []
    async for pulse in pulses:
        seen.append(pulse)
        if not isinstance(pulse, Started):
            break
    started = next((pulse for pulse in seen if isinstance(pulse, Started)), None)
    return started, _chained(seen, pulses)


class EventStream(Response):
    """Sends frames as they come and stops the work behind them when the client goes away."""

    media_type = "text/event-stream"

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        stack: AsyncExitStack,
        headers: dict[str, str],
        on_problem: Callable[[errors.PeciaError], None],
    ) -> None:
        """Take over `stack`, which is closed when the stream has ended in whatever way."""
        self._on_problem = on_problem
        self.status_code = 200
        self.background = None
        self._content = content
        self._stack = stack
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no", **headers})

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - demanded by ASGI
        receive: Receive,
        send: Send,
    ) -> None:
        """Send it all."""
        async with self._stack:
            self._stack.push_async_callback(self._content.aclose)
            try:
                await while_connected(receive, self._send(send))
            except errors.Cancelled as error:
                self._on_problem(error)

    async def _send(self, send: Callable[[Json], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for frame in self._content:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def data_frame(body: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _error_frame(error: errors.PeciaError) -> bytes:
    return data_frame({"error": problem_of(error).model_dump()})


async def _next(events: AsyncGenerator[Event, None]) -> Event | None:
    return await anext(events, None)


async def _chained(seen: list[Pulse], pulses: AsyncGenerator[Pulse, None]) -> AsyncGenerator[Pulse, None]:
    for pulse in seen:
        yield pulse
    async for pulse in pulses:
        yield pulse
