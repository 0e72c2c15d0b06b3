"""A job followed in the background, against a real HTTP server."""

import time
from collections.abc import AsyncIterator, Callable

import pytest
from pecia_client.testing.jobs import ScriptedJobs
from pecia_ui import following
from pecia_ui.client import Gateway
from pecia_ui.events import named_events
from pecia_ui.following import Follower, Snapshot
from pecia_ui.testing.gateway import Answer, StandIn


def sees(follower: Follower, true: Callable[[Snapshot], object], patience_s: float = 30.0) -> Snapshot:
    """Look until it is true."""
    end = time.monotonic() + patience_s
    while not true(known := follower.snapshot()):
        assert time.monotonic() < end, known
        time.sleep(0.02)
    return known


def test_looking_costs_the_gateway_nothing(gateway: StandIn, jobs: ScriptedJobs) -> None:
    """A hundred looks, one connection; what changes is there without being asked for."""
    job_id = jobs.add()
    follower = Follower(Gateway(gateway.url).jobs, job_id)
    assert follower.snapshot().job is not None
    jobs.done(job_id, 2)
    known = sees(follower, lambda known: known.pages)
    assert (known.newest, known.pages[2].status) == (2, "done")
    for _ in range(100):
        follower.snapshot()
    assert len(gateway.asked) == 1


def test_it_ends_with_the_job(gateway: StandIn, jobs: ScriptedJobs) -> None:
    """The last word stays; no thread does."""
    job_id = jobs.add(pages=1)
    follower = Follower(Gateway(gateway.url).jobs, job_id)
    jobs.done(job_id, 1)
    assert not sees(follower, lambda known: not known.live).live
    end = time.monotonic() + 30
    while follower._thread is not None:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert follower.snapshot().job is not None


def test_it_ends_when_nobody_looks(
    gateway: StandIn, jobs: ScriptedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that is closed says no goodbye; the next look goes on where it was."""
    monkeypatch.setattr(following, "_UNSEEN_S", 0.2)
    job_id = jobs.add()
    follower = Follower(Gateway(gateway.url).jobs, job_id)
    follower.snapshot()
    end = time.monotonic() + 30
    while follower._thread is not None:
        assert time.monotonic() < end
        time.sleep(0.02)
    jobs.done(job_id, 1)
    assert sees(follower, lambda known: known.pages).newest == 1


def test_it_survives_streams_that_break(gateway: StandIn, jobs: ScriptedJobs) -> None:
    """Each page once more at most, none missed."""
    job_id = jobs.add(pages=5)
    follower = Follower(Gateway(gateway.url).jobs, job_id)
    follower.snapshot()
    for number in range(1, 6):
        jobs.hang_up()
        jobs.done(job_id, number)
    known = sees(follower, lambda known: not known.live)
    assert sorted(known.pages) == [1, 2, 3, 4, 5]
    assert known.job is not None
    assert known.job.has_result


def test_a_job_that_has_ended_comes_with_its_pages(gateway: StandIn, jobs: ScriptedJobs) -> None:
    """The end is told before the pages, and again after them: nobody looks once it is known."""
    job_id = jobs.add(pages=2)
    jobs.done(job_id, 1)
    jobs.done(job_id, 2)
    known = Follower(Gateway(gateway.url).jobs, job_id).snapshot()
    assert (known.live, sorted(known.pages), known.newest) == (False, [1, 2], 2)


def test_it_asks_now_and_then_where_too_many_listen(gateway: StandIn, jobs: ScriptedJobs) -> None:
    """A key has only so many streams; the others are not told that something is wrong."""
    job_id = jobs.add()
    jobs.done(job_id, 3)
    scripted = gateway.jobs
    busy = Answer.refusal(429, "queue_full", "Too many listen already.")
    gateway.jobs = lambda asked: busy if asked.path.endswith("/events") else scripted(asked)
    known = Follower(Gateway(gateway.url).jobs, job_id).snapshot()
    assert known.error is None
    assert (known.newest, known.live) == (3, True)


def test_what_cannot_be_asked_is_said_and_tried_again(gateway: StandIn, jobs: ScriptedJobs) -> None:
    """503 is not the end; 404 is."""
    job_id = jobs.add()
    scripted = gateway.jobs
    gateway.jobs = lambda _: Answer.refusal(503, "store_unavailable", "The database is away.")
    follower = Follower(Gateway(gateway.url).jobs, job_id)
    known = follower.snapshot()
    assert known.error is not None
    assert known.live
    gateway.jobs = scripted
    assert sees(follower, lambda known: known.job).error is None
    assert not sees(Follower(Gateway(gateway.url).jobs, "none"), lambda known: known.error).live


async def test_events_are_told_when_they_are_whole() -> None:
    """Cut anywhere; comments and unnamed ones are passed over; an id is not needed."""
    told = b': hi\n\ndata: {}\n\nid: 7\nevent: page\ndata: {"number": 1}\n\n'
    told += b"event: job\ndata: {}\n\nevent: job\n"

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(told), 5):
            yield told[start : start + 5]

    seen = [event async for event in named_events(pieces())]
    assert [(event.id, event.kind) for event in seen] == [("7", "page"), ("", "job")]
    assert [event.body for event in seen] == [{"number": 1}, {}]
