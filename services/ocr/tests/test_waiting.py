"""Who is next: priorities, cancelled waits, workers that go away."""

import asyncio

import pytest
from pecia_core.vocabulary import Priority
from pecia_ocr.scheduling.waiting import WaitingRoom


async def _settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_free_worker_is_given_at_once() -> None:
    """Nobody waits while somebody is free."""
    room: WaitingRoom[str] = WaitingRoom()
    room.join("one", 1)
    assert room.free == 1
    assert await room.worker(Priority.DEFAULT) == "one"
    assert (room.free, room.length) == (0, 0)


async def test_pages_are_served_by_priority_then_by_arrival() -> None:
    """A flex page waits for every other, whenever it came."""
    room: WaitingRoom[str] = WaitingRoom()
    served: list[str] = []

    async def page(name: str, priority: Priority) -> None:
        worker = await room.worker(priority)
        served.append(name)
        room.release(worker)

    names = [
        ("flex", Priority.FLEX),
        ("a", Priority.DEFAULT),
        ("b", Priority.DEFAULT),
        ("vip", Priority.PRIORITY),
    ]
    async with asyncio.TaskGroup() as group:
        for name, priority in names:
            group.create_task(page(name, priority))
        await _settle()
        assert room.length == len(names)
        room.join("worker", 1)
    assert served == ["vip", "a", "b", "flex"]


async def test_a_cancelled_wait_leaves_the_queue_at_once() -> None:
    """Its place is gone and its turn goes to the next."""
    room: WaitingRoom[str] = WaitingRoom()
    first = asyncio.create_task(room.worker(Priority.DEFAULT))
    second = asyncio.create_task(room.worker(Priority.DEFAULT))
    await _settle()
    first.cancel()
    await _settle()
    assert room.length == 1
    room.join("worker", 1)
    assert await second == "worker"


async def test_a_turn_that_comes_with_the_cancel_is_passed_on() -> None:
    """A worker handed to a caller that is just being cancelled is not lost."""
    room: WaitingRoom[str] = WaitingRoom()
    caller = asyncio.create_task(room.worker(Priority.DEFAULT))
    await _settle()
    room.join("worker", 1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert room.free == 1


async def test_everybody_who_waits_hears_that_nobody_will_come() -> None:
    """An engine that can never load tells its callers."""
    room: WaitingRoom[str] = WaitingRoom()
    caller = asyncio.create_task(room.worker(Priority.DEFAULT))
    await _settle()
    room.refuse_all(RuntimeError("no engine"))
    with pytest.raises(RuntimeError, match="no engine"):
        await caller
    assert room.length == 0


async def test_a_worker_that_ended_is_not_offered() -> None:
    """Leaving twice, or while it is busy, does no harm, nor does a page that comes back from it."""
    room: WaitingRoom[str] = WaitingRoom()
    room.join("worker", 2)
    assert await room.worker(Priority.DEFAULT) == "worker"
    room.leave("worker")
    room.leave("worker")
    room.release("worker")
    assert room.free == 0


async def test_pages_spread_over_workers_before_they_share_one() -> None:
    """Two pages in one process would share its core while another one idles."""
    room: WaitingRoom[str] = WaitingRoom()
    room.join("one", 2)
    room.join("two", 2)
    assert {await room.worker(Priority.DEFAULT) for _ in range(2)} == {"one", "two"}
    assert room.free == 2


async def test_a_suspect_gets_the_next_new_worker_for_itself() -> None:
    """Other pages wait until it is through; another suspect comes before them."""
    room: WaitingRoom[str] = WaitingRoom()
    suspects = [asyncio.create_task(room.alone()) for _ in range(2)]
    innocent = asyncio.create_task(room.worker(Priority.PRIORITY))
    await _settle()
    assert room.length == 3
    room.join("fresh", 2)
    assert await suspects[0] == "fresh"
    assert room.free == 0
    room.release("fresh")
    assert await suspects[1] == "fresh"
    assert not innocent.done()
    room.release("fresh")
    assert await innocent == "fresh"
    assert room.free == 1


async def test_a_suspect_that_is_cancelled_keeps_nobody_waiting() -> None:
    """Before its turn, or in the moment of it."""
    room: WaitingRoom[str] = WaitingRoom()
    early, late = (asyncio.create_task(room.alone()) for _ in range(2))
    await _settle()
    early.cancel()
    await _settle()
    room.join("fresh", 2)
    late.cancel()
    await asyncio.gather(early, late, return_exceptions=True)
    assert (room.free, room.length) == (2, 0)


async def test_suspects_hear_that_nobody_will_come() -> None:
    """As everybody else does."""
    room: WaitingRoom[str] = WaitingRoom()
    suspect = asyncio.create_task(room.alone())
    await _settle()
    room.refuse_all(RuntimeError("no engine"))
    with pytest.raises(RuntimeError, match="no engine"):
        await suspect
