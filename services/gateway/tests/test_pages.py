"""Pages side by side."""

import asyncio

import pytest
from pecia_gateway.pages import together


async def test_results_come_in_order() -> None:
    """However long each takes."""

    async def after(seconds: float, value: int) -> int:
        await asyncio.sleep(seconds)
        return value

    jobs = [after(0.05 - 0.01 * value, value) for value in range(5)]
    assert await together(jobs) == [0, 1, 2, 3, 4]


async def test_only_a_few_run_at_once() -> None:
    """One caller with many pages leaves room for others."""
    running, most = 0, 0

    async def counted() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    await together([counted() for _ in range(10)], at_once=3)
    assert most == 3


async def test_first_failure_ends_the_others() -> None:
    """What still runs is cancelled, and has ended when the failure is told."""
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    with pytest.raises(ValueError, match="broken"):
        await together([fail(), endless()], at_once=2)
    assert ended == ["cancelled"]


async def test_cancelled_before_it_began_leaves_nothing_behind() -> None:
    """A deadline that is over at once must not leave work that nobody awaits."""

    async def never() -> None:
        raise AssertionError

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await together([never(), never()])
