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
    room.release("one")
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
        room.release("worker")
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
    room.release("worker")
    assert await second == "worker"


async def test_a_turn_that_comes_with_the_cancel_is_passed_on() -> None:
    """A worker handed to a caller that is just being cancelled is not lost."""
    room: WaitingRoom[str] = WaitingRoom()
    caller = asyncio.create_task(room.worker(Priority.DEFAULT))
    await _settle()
    room.release("worker")
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


def test_a_worker_that_ended_is_not_offered() -> None:
    """Removing it twice, or while it is busy, does no harm."""
    room: WaitingRoom[str] = WaitingRoom()
    room.release("worker")
    room.remove("worker")
    room.remove("worker")
    assert room.free == 0
