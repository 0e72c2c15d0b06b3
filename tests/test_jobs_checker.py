"""The checker of jobs: histories that keep every promise pass, and each broken promise is caught by name."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pecia_core.pdf import PdfRenderer

from benchmarks.jobs.checker import JobRow, PageRow, Truth, check
from benchmarks.jobs.drawn import document, number_of
from benchmarks.jobs.history import Event, Kind, Recorder, ordered, recorded
from benchmarks.jobs.recovery import claimed_again, read_again, recoveries

JOB = "a.pdf_20261121_120000_0123abcd"
PAGES = 3


def text_of(number: int) -> str:
    """What the engine said of a page."""
    return f"page {number:05d}"


def page_story(number: int) -> list[Event]:
    """Claimed, read, recorded."""
    at, token = 10.0 * number, f"{number}-t"
    return [
        Event(at, Kind.CLAIMED, JOB, number, token, "w1"),
        Event(at + 1, Kind.READ, JOB, number, detail=text_of(number)),
        Event(at + 2, Kind.RECORDED, JOB, number, token, "w1"),
    ]


def good_history() -> list[Event]:
    """A job of three pages that went well, with a webhook."""
    end = 10.0 * PAGES + 10
    return [
        Event(1, Kind.SUBMITTED, JOB, PAGES, detail="http://receiver"),
        Event(2, Kind.SEEN, JOB, 0, detail="queued"),
        *(event for number in range(1, PAGES + 1) for event in page_story(number)),
        Event(end, Kind.CLAIMED, JOB, 0, "0-t", "w1"),
        Event(end + 1, Kind.RECORDED, JOB, 0, "0-t", "w1"),
        Event(end + 1, Kind.JOB, JOB, detail="done"),
        Event(end + 2, Kind.WEBHOOK, JOB, token=f"evt_{JOB}_webhook"),
        Event(end + 3, Kind.WEBHOOK, JOB, token=f"evt_{JOB}_webhook"),
        Event(end + 4, Kind.SEEN, JOB, PAGES, detail="done"),
    ]


def good_truth() -> Truth:
    """What the database says of it."""
    pages = [PageRow(JOB, 0, "done", "0-t")]
    pages += [PageRow(JOB, number, "done", f"{number}-t", text_of(number)) for number in range(1, PAGES + 1)]
    result = "\n".join(text_of(number) for number in range(1, PAGES + 1))
    return Truth([JobRow(JOB, "done", PAGES, PAGES, 0, result)], pages, {"tenant": 0})


def with_page(truth: Truth, number: int, **changes: Any) -> Truth:
    """The same with one page changed."""
    pages = [replace(page, **changes) if page.number == number else page for page in truth.pages]
    return replace(truth, pages=pages)


def with_job(truth: Truth, **changes: Any) -> Truth:
    """The same with the job changed."""
    return replace(truth, jobs=[replace(truth.jobs[0], **changes)])


def found(history: list[Event], truth: Truth) -> set[str]:
    """The rules that were broken."""
    return {violation.rule for violation in check(ordered(history), truth)}


def test_a_good_job_passes() -> None:
    """Nothing is found where nothing is wrong: a webhook that came twice under one id is fine."""
    assert check(good_history(), good_truth()) == []


def test_a_page_taken_over_passes() -> None:
    """A lease that lapsed and was claimed by another worker breaks no promise, and counts as read again."""
    takeover = [
        Event(12.0, Kind.FREED, JOB, 2, "dead", "w2"),
        Event(11.0, Kind.CLAIMED, JOB, 2, "dead", "w2"),
        Event(11.5, Kind.READ, JOB, 2, detail=text_of(2)),
        Event(11.7, Kind.KILLED, worker="w2", detail="dead"),
    ]
    history = ordered(good_history(), takeover)
    assert check(history, good_truth()) == []
    assert read_again(history) == 1
    assert claimed_again(history) == 1
    (recovery,) = recoveries(history)
    assert (recovery.who, recovery.held) == ("w2", 1)
    assert recovery.seconds == pytest.approx(20.0 - 11.7)


def test_a_page_never_taken_over_has_no_recovery() -> None:
    """Where nobody picks a dead worker's page up there is no time to speak of."""
    history = [
        Event(1, Kind.CLAIMED, JOB, 1, "dead", "w2"),
        Event(2, Kind.KILLED, worker="w2", detail="dead"),
    ]
    assert recoveries(history)[0].seconds is None


def test_a_page_asked_for_again_passes() -> None:
    """A page may be recorded once more, the job end once more and another webhook come, if somebody asked."""
    again = [
        Event(50, Kind.REOPENED, JOB, 2),
        Event(51, Kind.CLAIMED, JOB, 2, "2-u", "w1"),
        Event(52, Kind.RECORDED, JOB, 2, "2-u", "w1"),
        Event(53, Kind.JOB, JOB, detail="done"),
        Event(54, Kind.WEBHOOK, JOB, token=f"evt_{JOB}_webhook.2"),
    ]
    assert check(ordered(good_history(), again), good_truth()) == []


TRUTHS: dict[str, tuple[str, Callable[[Truth], Truth]]] = {
    "job gone": ("lost job", lambda _: Truth()),
    "job not ended": ("stuck job", lambda truth: with_job(truth, state="finalizing")),
    "page without a row": ("lost page", lambda truth: replace(truth, pages=truth.pages[:-1])),
    "page not ended": ("lost page", lambda truth: with_page(truth, 2, state="waiting")),
    "page without a blob": ("lost page", lambda truth: with_page(truth, 2, text=None)),
    "result of a lost lease": ("not the holder", lambda truth: with_page(truth, 2, writer="2-lost")),
    "page of another": ("wrong text", lambda truth: with_page(truth, 2, text=text_of(3))),
    "count too small": ("wrong count", lambda truth: with_job(truth, done=PAGES - 1)),
    "done without all": (
        "ended short",
        lambda truth: with_job(with_page(truth, 2, state="failed"), failed=1),
    ),
    "partial without failed": ("ended short", lambda truth: with_job(truth, state="partial")),
    "no result": ("ended short", lambda truth: with_job(truth, result=None)),
    "result lacks a page": ("ended short", lambda truth: with_job(truth, result=text_of(1) + text_of(3))),
    "result in disorder": (
        "ended short",
        lambda truth: with_job(truth, result=text_of(2) + text_of(1) + text_of(3)),
    ),
    "still leased": ("orphan lease", lambda truth: with_page(truth, 0, state="leased")),
    "counter not back": ("orphan lease", lambda truth: replace(truth, running={"tenant": 1})),
    "counter below zero": ("orphan lease", lambda truth: replace(truth, running={"a": 1, "b": -1})),
    "still queued": ("wrong queue", lambda truth: with_page(truth, 1, queued=True)),
    "ready, not queued": ("wrong queue", lambda truth: with_page(truth, 1, state="ready")),
}


@pytest.mark.parametrize("case", TRUTHS)
def test_what_the_database_cannot_say(case: str) -> None:
    """Each way in which rows and blobs can be wrong is caught by its rule."""
    rule, change = TRUTHS[case]
    assert rule in found(good_history(), change(good_truth()))


EVENTS: dict[str, tuple[str, Event]] = {
    "recorded again": ("recorded twice", Event(60, Kind.RECORDED, JOB, 2, "2-t", "w1")),
    "failed after done": ("recorded twice", Event(60, Kind.GIVEN_UP, JOB, 2, "2-t", "w1")),
    "by a stranger": ("not the holder", Event(60, Kind.RECORDED, JOB, 2, "other", "w2")),
    "claimed while held": ("held twice", Event(20.5, Kind.CLAIMED, JOB, 2, "other", "w2")),
    "another webhook id": ("two webhook ids", Event(60, Kind.WEBHOOK, JOB, token="evt_other")),
    "state after the end": ("went back", Event(60, Kind.SEEN, JOB, PAGES, detail="running")),
    "fewer pages": ("went back", Event(60, Kind.SEEN, JOB, PAGES - 1, detail="done")),
}


@pytest.mark.parametrize("case", EVENTS)
def test_what_may_not_happen(case: str) -> None:
    """Each event that must not be is caught by its rule."""
    rule, event = EVENTS[case]
    assert rule in found([*good_history(), event], good_truth())


def test_a_webhook_that_never_came() -> None:
    """Whoever asked to be told and was not is found; whoever did not ask is not waited for."""
    quiet = [event for event in good_history() if event.kind is not Kind.WEBHOOK]
    assert found(quiet, good_truth()) == {"no webhook"}
    nobody = [replace(event, detail="") if event.kind is Kind.SUBMITTED else event for event in quiet]
    assert found(nobody, good_truth()) == set()


def test_a_partial_job_passes() -> None:
    """Failed pages that are counted and leave the job `partial` break no promise."""
    history = [
        replace(event, kind=Kind.GIVEN_UP) if (event.kind, event.page) == (Kind.RECORDED, 2) else event
        for event in good_history()
    ]
    truth = with_page(good_truth(), 2, state="failed", text=None)
    truth = with_job(truth, state="partial", done=2, failed=1, result=text_of(1) + text_of(3))
    assert found(history, truth) == set()


def test_a_history_survives_a_kill(tmp_path: Path) -> None:
    """Lines of several processes stay whole, and one that a kill cut short is dropped."""
    path = tmp_path / "history"
    program = (
        "import sys, pathlib; from benchmarks.jobs.history import Kind, Recorder\n"
        "recorder = Recorder(pathlib.Path(sys.argv[1]))\n"
        "while True: recorder.note(Kind.READ, 'x' * 300, 1, detail=sys.argv[2])\n"
    )
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", program, str(path)]
    writers = [subprocess.Popen([*command, name], cwd=root) for name in ("one", "two")]
    while not path.exists() or path.stat().st_size < 1 << 20:
        assert all(writer.poll() is None for writer in writers)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    with path.open("ab") as file:
        file.write(b'{"at": 1')
    events = recorded(path)
    assert {event.detail for event in events} <= {"one", "two"}
    assert len(events) > 1000
    os.truncate(path, 0)
    Recorder(path).note(Kind.STARTED, detail="again")
    assert [event.detail for event in recorded(path)] == ["again"]


@pytest.mark.parametrize("number", [1, 2, 300, 10_000])
async def test_drawn_pages_show_their_number(number: int) -> None:
    """A page's number can be read from its picture as the worker draws it, JPEG and all."""
    data = document(number)
    async with PdfRenderer() as renderer:
        assert await renderer.page_count(data) == number
        page = await renderer.render(data, number - 1, 100.0)
    assert number_of(page.jpeg) == number
