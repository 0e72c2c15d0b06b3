"""Numbers of what can be seen of a job: who reads on after a number misses nothing."""

import asyncio

from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job

PAGES = 60


async def test_a_reader_misses_no_page(store: Store, leases: Leases) -> None:
    """Many workers record, fail and cancel at once; a reader goes on after the last number he saw."""
    job, _ = await store.create(sample_job(pages=PAGES))
    seen: list[int] = []
    numbers: list[int] = []
    ended = asyncio.Event()

    async def work(worker: str) -> None:
        while claimed := await leases.claim(worker, 2):
            if claimed[0].number == 0:
                return
            if claimed[0].number % 7 == 0:
                await leases.fail(claimed.pop(0), "invalid_image", "Bad.", permanent=True)
            await leases.record([result_of(lease) for lease in claimed])

    async def read() -> None:
        after = 0
        while not (ended.is_set() and len(seen) >= PAGES):
            over = ended.is_set()
            for page in await store.pages("anna", job.id, after_seq=after):
                after = page.seq
                seen.append(page.number)
                numbers.append(page.seq)
            assert not over or len(seen) == PAGES
            await asyncio.sleep(0.005)

    reader = asyncio.create_task(read())
    await asyncio.gather(*(work(f"w{number}") for number in range(4)))
    ended.set()
    await reader
    assert sorted(seen) == list(range(1, PAGES + 1))
    assert numbers == sorted(set(numbers))


async def test_everything_that_can_be_seen_raises_the_number(store: Store, leases: Leases) -> None:
    """Begun, each page, all pages, the end; cancelling numbers every page it ends."""
    job, _ = await store.create(sample_job(pages=2))
    seen = [job.seq]

    async def look() -> int:
        seen.append((await store.job("anna", job.id)).seq)
        return seen[-1] - seen[-2]

    first, second = await leases.claim("w1", 2)
    assert await look() == 1
    await leases.record([result_of(first)])
    assert await look() == 1
    await leases.record([result_of(second)])
    assert await look() == 2
    (whole,) = await leases.claim("w1", 1)
    assert await look() == 0
    await leases.finish(whole, JobState.DONE)
    assert await look() == 1
    await store.rerun("anna", job.id, [1, 2])
    assert await look() == 1
    await store.cancel("anna", job.id)
    assert await look() == 3
    assert [page.seq for page in await store.pages("anna", job.id)] == [seen[-1] - 2, seen[-1] - 1]
