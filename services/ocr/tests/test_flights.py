"""One reading for everybody who wants the same page: joining, leaving, failing, and nothing left behind."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from pecia_core.document import Page
from pecia_core.errors import DeadlineExceeded, EngineFailed, PeciaError, Unavailable
from pecia_core.recognition import Delta, Event, Recognition, Started
from pecia_ocr.cache import Flight, Flights


class Desk:
    """Reads pages that take a few turns of the loop, and counts what runs."""

    def __init__(self) -> None:
        self.begun = self.running = self.held = self.cancelled = 0
        self.go = asyncio.Event()
        self.go.set()

    def release(self) -> None:
        self.held -= 1

    def start(self, flights: Flights, name: str, words: list[str], error: Exception | None = None) -> Flight:
        self.held += 1
        return flights.start(name, self.read(words, error), self.release)

    async def read(self, words: list[str], error: Exception | None) -> AsyncGenerator[Event, None]:
        self.begun += 1
        self.running += 1
        try:
            yield Started("scripted")
            for word in words:
                await self.go.wait()
                await asyncio.sleep(0)
                yield Delta(word)
            if error:
                raise error
            yield Recognition(Page(1, 1), "".join(words), "scripted")
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


async def heard(flight: Flight) -> list[Event]:
    """Everything one caller hears."""
    async with flight.aboard(), aclosing(flight.events()) as events:
        return [event async for event in events]


def text(events: list[Event]) -> str:
    """All deltas joined."""
    return "".join(event.text for event in events if isinstance(event, Delta))


async def turns(count: int = 5) -> None:
    """Let the others go on."""
    for _ in range(count):
        await asyncio.sleep(0)


async def settled(flights: Flights) -> None:
    """Wait until nothing is being read."""
    async with asyncio.timeout(10):
        while len(flights):
            await asyncio.sleep(0)


async def test_who_comes_late_hears_it_all() -> None:
    """A caller who joins half-way gets what was said, then what is being said; it is read once."""
    flights, desk = Flights(60), Desk()
    flight = desk.start(flights, "page", ["a", "b", "c", "d"])
    first = asyncio.create_task(heard(flight))
    await turns(3)
    desk.go.clear()
    joined = flights.find("page")
    assert joined is flight
    late = asyncio.create_task(heard(flight))
    await turns()
    desk.go.set()
    one, other = await asyncio.gather(first, late)
    assert one == other
    assert text(one) == "abcd"
    assert isinstance(one[-1], Recognition)
    assert (desk.begun, desk.running, desk.held, len(flights)) == (1, 0, 0, 0)


async def test_a_landed_flight_is_not_boarded() -> None:
    """Who asks after the result is there finds no flight: the store has the result."""
    flights, desk = Flights(60), Desk()
    await heard(desk.start(flights, "page", ["a"]))
    assert flights.find("page") is None


async def test_the_one_who_began_may_leave() -> None:
    """Cancelling the first caller fails nobody: the reading belongs to all aboard."""
    flights, desk = Flights(60), Desk()
    desk.go.clear()
    flight = desk.start(flights, "page", ["a", "b"])
    first, second = asyncio.create_task(heard(flight)), asyncio.create_task(heard(flight))
    await turns()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert desk.running == 1
    desk.go.set()
    assert text(await second) == "ab"
    assert desk.cancelled == 0


async def test_when_the_last_leaves_the_reading_ends() -> None:
    """The last caller's way out waits for it, and the next caller starts anew."""
    flights, desk = Flights(60), Desk()
    desk.go.clear()
    flight = desk.start(flights, "page", ["a"])
    callers = [asyncio.create_task(heard(flight)) for _ in range(3)]
    await turns()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert (desk.running, desk.held, desk.cancelled) == (0, 0, 1)
    assert flights.find("page") is None
    desk.go.set()
    assert text(await heard(desk.start(flights, "page", ["b"]))) == "b"


async def test_a_flight_given_up_before_it_began_leaves_nothing() -> None:
    """A cancel in the very turn it was started: the reading never runs, its place is given back."""
    flights, desk = Flights(60), Desk()
    flight = desk.start(flights, "page", ["a"])
    async with flight.aboard():
        pass
    await turns()
    assert (desk.begun, desk.held, len(flights)) == (0, 0, 0)


async def test_an_error_is_everybodys_own() -> None:
    """Each caller gets the error as an object of their own: marks one leaves on it are not on the others."""
    flights, desk = Flights(60), Desk()
    error = EngineFailed("It broke.", param="picture", retry_after=3.0)
    flight = desk.start(flights, "page", ["a"], error)
    outcomes = await asyncio.gather(heard(flight), heard(flight), return_exceptions=True)
    told = [outcome for outcome in outcomes if isinstance(outcome, PeciaError)]
    assert [(one.code, one.message, one.param, one.retry_after) for one in told] == [
        ("server_error", "It broke.", "picture", 3.0)
    ] * 2
    assert len({id(one) for one in (*told, error)}) == 3
    assert flights.find("page") is None


async def test_an_unexpected_error_reaches_everybody() -> None:
    """Also one that is not of the family."""
    flights, desk = Flights(60), Desk()
    flight = desk.start(flights, "page", [], ZeroDivisionError())
    outcomes = await asyncio.gather(heard(flight), heard(flight), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 2


async def test_a_page_nobody_can_read_ends_although_somebody_always_waits() -> None:
    """Callers who come one after the other do not keep a reading alive for ever."""
    flights, desk = Flights(0.2), Desk()
    desk.go.clear()
    with pytest.raises(DeadlineExceeded):
        await heard(desk.start(flights, "page", ["a"]))
    assert (desk.running, desk.held) == (0, 0)


async def test_closing_tells_those_aboard() -> None:
    """At the end of the process whoever waits hears that the page was given up."""
    flights, desk = Flights(60), Desk()
    desk.go.clear()
    caller = asyncio.create_task(heard(desk.start(flights, "page", ["a"])))
    await turns()
    await flights.close()
    with pytest.raises(Unavailable):
        await caller
    assert (desk.running, desk.held, len(flights)) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(5))
async def test_a_thousand_callers_leave_nothing_behind(seed: int) -> None:
    """1,000 interleaved callers over four pages, a third of whom leave at some moment, some pages failing.

    Whoever stays has the whole text or the page's own error; nothing runs, holds a place or can be
    boarded in the end; a page is never read twice at the same moment.
    """
    chance = random.Random(seed)  # noqa: S311 - a race, not a secret
    flights, desk = Flights(60), Desk()
    loop_task_count = len(asyncio.all_tasks())
    names = ["one", "two", "three", "bad"]
    words = {name: [f"{name}{number} " for number in range(6)] for name in names}

    async def call(name: str) -> str:
        await turns(chance.randrange(200))
        error = EngineFailed("bad") if name == "bad" else None
        flight = flights.find(name) or desk.start(flights, name, words[name], error)
        assert desk.running <= desk.held <= 2 * len(names)  # one open and one ending for each at most
        try:
            return text(await heard(flight))
        except EngineFailed:
            return "failed"

    async def one(name: str) -> str | None:
        task = asyncio.create_task(call(name))
        if chance.random() < 0.33:
            await turns(chance.randrange(220))
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return None

    asked = [chance.choice(names) for _ in range(1000)]
    outcomes = await asyncio.gather(*(one(name) for name in asked))
    await settled(flights)
    await turns()
    for name, outcome in zip(asked, outcomes, strict=True):
        assert outcome in (None, "failed" if name == "bad" else "".join(words[name]))
    assert outcomes.count(None) > 100
    assert desk.begun < 500
    assert (desk.running, desk.held, len(flights)) == (0, 0, 0)
    assert not any(flights.find(name) for name in names)
    assert len(asyncio.all_tasks()) == loop_task_count
