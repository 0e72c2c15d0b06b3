"""Pages on their way into a worker process: who leaves in the middle takes nobody along."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pecia_core.recognition import RecognizeOptions
from pecia_ocr.scheduling import frames
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.scheduling.process import EngineSpec, WorkerProcess
from pecia_ocr.settings import worker_environment

SIDE = 2000  # of a picture whose bytes, 12 MB, no socket takes at once


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    """One that reads two pages at once."""
    worker = WorkerProcess(EngineSpec("scripted", {}, worker_environment(), pages_at_once=2))
    await worker.start(lambda _: None)
    yield worker
    await worker.close()


async def read(worker: WorkerProcess, side: int = SIDE) -> list[frames.FromWorker]:
    """All that it says of a page of raw pixels."""
    page = PageInput(bytes(side * side * 3), RecognizeOptions(), raw=frames.RawShape(side, side, 3))
    return [frame async for frame in worker.read(page)]


async def given_up(reading: asyncio.Task[list[frames.FromWorker]]) -> None:
    """Cancel it, and wait until its place is free."""
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.002, 0.004, 0.02])
async def test_a_page_that_is_given_up_while_it_is_sent(worker: WorkerProcess, after_s: float) -> None:
    """The rest of it still goes out: the next frame is understood, and the process stays."""
    beside = asyncio.create_task(read(worker, 100))
    reading = asyncio.create_task(read(worker))
    await asyncio.sleep(after_s)
    await given_up(reading)
    assert isinstance((await beside)[-1], frames.Done)
    assert isinstance((await read(worker, 100))[-1], frames.Done)
    assert worker.alive


async def test_a_page_that_is_given_up_before_it_is_sent(worker: WorkerProcess) -> None:
    """The worker never hears of it."""
    first = asyncio.create_task(read(worker))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(read(worker, 100))
    await asyncio.sleep(0)
    await asyncio.wait_for(given_up(waiting), 0.9)  # less than a worker is given to let go
    assert isinstance((await first)[-1], frames.Done)
    assert worker.alive
    assert worker.pages == 0
