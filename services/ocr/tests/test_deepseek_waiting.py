"""Whose turn it is."""

from collections import Counter

from pecia_ocr.engines.deepseek.tickets import Request, Ticket
from pecia_ocr.engines.deepseek.waiting import WaitingLine


def ticket(tenant: str = "", priority: int = 0, tokens: int = 2) -> Ticket:
    """A request of so many tokens."""
    return Ticket(Request(list(range(tokens)), tenant=tenant, priority=priority), lambda: None)


def order(line: WaitingLine, running: Counter[str] | None = None) -> list[str]:
    """The tenants in the order of their turns, while nothing else changes."""
    turns = []
    while (taken := line.next(running or Counter(), lambda _: True)) is not None:
        turns.append(taken.request.tenant)
    return turns


def test_the_most_urgent_goes_first() -> None:
    """Whenever it came."""
    line = WaitingLine()
    for name, priority in (("flex", 2), ("default", 1), ("priority", 0), ("late", 1)):
        line.add(ticket(name, priority))
    assert order(line) == ["priority", "default", "late", "flex"]
    assert len(line) == 0


def test_tenants_take_turns() -> None:
    """One with many pages does not keep out one with few."""
    line = WaitingLine()
    for name in "aaaaaabbc":
        line.add(ticket(name))
    assert "".join(order(line)) == "abcabaaaa"


def test_who_has_fewer_slots_is_next() -> None:
    """Turns are counted in what runs."""
    line = WaitingLine()
    for name in "abab":
        line.add(ticket(name))
    assert order(line, Counter(a=3, b=1)) == ["b", "b", "a", "a"]


def test_nobody_slips_past_who_does_not_fit_yet() -> None:
    """Or a large page would wait for ever."""
    line = WaitingLine()
    line.add(ticket("large", tokens=9))
    line.add(ticket("small"))
    assert line.next(Counter(), lambda waiting: len(waiting.request.ids) < 5) is None
    assert len(line) == 2


def test_the_unwanted_leave_the_line() -> None:
    """The others stay in order."""
    line = WaitingLine()
    tickets = [ticket(name) for name in "abcd"]
    for waiting in tickets:
        line.add(waiting)
    tickets[1].cancel()
    assert line.remove(lambda waiting: waiting.cancelled) == [tickets[1]]
    assert len(line) == 3
    assert "".join(order(line)) == "acd"
