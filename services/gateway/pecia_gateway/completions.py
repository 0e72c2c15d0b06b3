"""The flow of both OpenAI surfaces: understand -> admit -> take in -> read -> render, whole or in pieces."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import time
from typing import Any, Protocol
from uuid import uuid4

from fastapi import Request
from fastapi.responses import Response
from pecia_core.recognition import Event
from pydantic import BaseModel

from pecia_gateway.asks import Ask
from pecia_gateway.body import read_json
from pecia_gateway.disconnection import while_connected
from pecia_gateway.gateway import Gateway
from pecia_gateway.pages import Picture, take_in
from pecia_gateway.reader import Reader
from pecia_gateway.rendering import Head, Reading, reading_of
from pecia_gateway.streaming import ChunkShape, ChunkWriter, EventStream, Run, frames, opened, with_pulse
from pecia_gateway.visits import Visit, admitted


class Render(Protocol):
    """How a surface writes its whole answer."""

    def __call__(self, head: Head, choices: Sequence[Reading], *, runs: int) -> BaseModel:
        """The answer."""
        ...


@dataclass(frozen=True, slots=True)
class Surface:
    """One of OpenAI's two ways to ask for text."""

    id_prefix: str
    understand: Callable[[Mapping[str, Any], str], Ask]
    render: Render
    chunks: ChunkShape


async def complete(request: Request, gateway: Gateway, surface: Surface) -> Response:
    """Answer one request.

    Raises:
        PeciaError: it is refused, or the pages cannot be read.
    """
    async with AsyncExitStack() as stack:
        visit = stack.enter_context(admitted(request, gateway))
        ask = surface.understand(await read_json(request), gateway.settings.models.default_model)
        reader = visit.reader(ask.timeout_s, pages_together=ask.pages_together)
        head = Head(f"{surface.id_prefix}-{uuid4().hex}", int(time()), ask.model, ask.warnings)
        limits, hold = gateway.settings.limits, request.state.holding.take
        taking = take_in(ask, gateway.intake, limits, deadline=reader.deadline, hold=hold)
        pictures = await while_connected(request.receive, taking)
        if not ask.stream:
            choices, runs = await while_connected(request.receive, _choices(ask, reader, pictures))
            for page in (page for choice in choices[:runs] for page in choice.pages):
                visit.note(page)
            answer = surface.render(head, choices, runs=runs)
            return Response(answer.model_dump_json(), media_type="application/json", headers=visit.headers)
        streamer = _Streamer(ask, reader, pictures, gateway.settings.http.sse_keep_alive_s)
        opening = await while_connected(request.receive, streamer.open(visit))
        writer = ChunkWriter(head, surface.chunks, ask.include_usage)
        content = frames(writer, streamer.runs(opening), visit.note_problem)
        return EventStream(content, stack.pop_all(), visit.headers, visit.note_problem)


async def _choices(ask: Ask, reader: Reader, pictures: Sequence[Picture]) -> tuple[list[Reading], int]:
    """The choices and how many times the pages were read for them: at temperature 0 they are all one."""
    readings = [reading_of(await reader.read(pictures), as_json=ask.as_json) for _ in range(_runs_of(ask))]
    return readings * (ask.choices // len(readings)), len(readings)


def _runs_of(ask: Ask) -> int:
    return ask.choices if ask.options.sampling.temperature else 1


@dataclass(frozen=True, slots=True)
class _Streamer:
    """Reads the pages of one request as events, once or once for each choice."""

    ask: Ask
    reader: Reader
    pictures: Sequence[Picture]
    keep_alive_s: float

    async def open(self, visit: Visit) -> AsyncGenerator[Event | None, None]:
        """The first run, waited for until there is something to send."""
        started, pulses = await opened(self._pulses())
        if started:
            visit.note(started)
        if not started or len(self.pictures) * _runs_of(self.ask) > 1:
            visit.note_reading()  # the head goes out before the other pages are known
        return pulses

    async def runs(self, opening: AsyncGenerator[Event | None, None]) -> AsyncIterator[Run]:
        """Every run with the choices it is told to."""
        indexes = tuple(range(self.ask.choices))
        if _runs_of(self.ask) == 1:
            yield Run(opening, indexes)
            return
        yield Run(opening, indexes[:1])
        for index in indexes[1:]:
            yield Run(self._pulses(), (index,))

    def _pulses(self) -> AsyncGenerator[Event | None, None]:
        return with_pulse(self.reader.stream(self.pictures, as_json=self.ask.as_json), self.keep_alive_s)
