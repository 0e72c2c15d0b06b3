"""Lists of jobs that stay in place while more come, and pages by number or by when they ended."""

import pytest
from pecia_core.errors import InvalidRequest
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobStatus
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job


async def test_a_list_stays_in_place_while_jobs_come(store: Store) -> None:
    """Newest first; every job that was there at the beginning is seen once."""
    made = [(await store.create(sample_job(number)))[0].id for number in range(7)]
    seen, cursor = [], ""
    for round_ in range(4):
        jobs, cursor = await store.jobs("anna", cursor=cursor, limit=2)
        seen += [job.id for job in jobs]
        await store.create(sample_job(100 + round_))
    assert seen == made[::-1]
    assert cursor == ""
    assert (await store.jobs("bela")) == ([], "")


async def test_jobs_made_at_the_same_moment_are_all_listed(store: Store) -> None:
    """Their names decide."""
    for number in range(9):
        await store.create(sample_job(number))
    async with store._database.write() as connection:
        await connection.exec_driver_sql("UPDATE job SET created = 1767225600.125")
    seen, cursor = [], ""
    while True:
        jobs, cursor = await store.jobs("anna", cursor=cursor, limit=4)
        seen += [job.id for job in jobs]
        if not cursor:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 9


async def test_jobs_by_status(store: Store, leases: Leases) -> None:
    """The five words callers know."""
    for number in range(3):
        await store.create(sample_job(number))
    await leases.claim("w1", 1)
    jobs, _ = await store.jobs("anna")
    await store.cancel("anna", jobs[0].id)
    for status, count in (("queued", 1), ("processing", 1), ("cancelled", 1), ("failed", 0)):
        found, _ = await store.jobs("anna", status=JobStatus(status))
        assert [job.status for job in found] == [status] * count


@pytest.mark.parametrize("cursor", ["x", "e30=", "WzFd", "WyJhIiwxXQ==", "WzFlOTk5LCJhIl0=x", "é"])
async def test_a_cursor_that_is_none(store: Store, cursor: str) -> None:
    """Says so."""
    with pytest.raises(InvalidRequest, match="cursor"):
        await store.jobs("anna", cursor=cursor)


async def test_pages_by_number_and_by_when_they_ended(store: Store, leases: Leases) -> None:
    """Who asks for what came after a number gets each page once, in the order they ended."""
    job, _ = await store.create(sample_job(pages=4))
    first, second, third, _ = await leases.claim("w1", 4)
    await leases.record([result_of(third)])
    at = (await store.job("anna", job.id)).seq
    await leases.record([result_of(first)])
    await leases.fail(second, "invalid_image", "Bad.", permanent=True)
    assert [page.number for page in await store.pages("anna", job.id)] == [1, 2, 3, 4]
    assert [page.number for page in await store.pages("anna", job.id, after_seq=0)] == [3, 1, 2]
    assert [page.number for page in await store.pages("anna", job.id, after_seq=at)] == [1, 2]
    assert [page.number for page in await store.pages("anna", job.id, numbers=[4, 2, 9])] == [2, 4]
    assert await store.pages("anna", job.id, numbers=[]) == []
