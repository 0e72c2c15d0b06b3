"""What is due for everybody is done by anybody, once."""

import asyncio

from pecia_jobs.database import Database
from pecia_jobs.expressions import page_id_of
from pecia_jobs.leases import Leases, Swept
from pecia_jobs.model import JobState, PageState
from pecia_jobs.schema import job as jobs
from pecia_jobs.store import Counts, Store
from pecia_jobs.testing import result_of, sample_job
from sqlalchemy import update


async def test_nothing_is_due(leases: Leases) -> None:
    """Then nothing happens."""
    assert await leases.sweep() == Swept()


async def test_lapsed_pages_go_to_others(store: Store, leases: Leases, hasty: Leases) -> None:
    """At once and first; those whose lease holds are left alone."""
    await store.create(sample_job(pages=4))
    (kept,) = await leases.claim("alive", 1)
    await hasty.claim("dead", 2)
    assert await leases.sweep() == Swept(lapsed=2)
    assert [(lease.number, lease.attempt) for lease in await leases.claim("w2", 9)] == [
        (2, 2),
        (3, 2),
        (4, 1),
    ]
    assert await leases.held([kept.token]) == {kept.token}


async def test_a_page_that_was_put_off_comes_back_in_its_time(store: Store, leases: Leases) -> None:
    """Nobody has it until then, no attempt is spent, and it stands where it stood in its line."""
    job, _ = await store.create(sample_job(pages=2))
    first, second = await leases.claim("w1", 2)
    await leases.release([first.token], 60.0)
    assert (await store.counts()).put_off_pages == 1
    await leases.release([second.token], 0.0)
    await leases.release([first.token], 0.0)  # no longer held: nothing changes
    assert await leases.claim("w2", 9) == []
    assert await leases.sweep() == Swept(promoted=1)
    assert [(lease.number, lease.attempt) for lease in await leases.claim("w2", 9)] == [(2, 1)]
    assert await store.counts() == Counts(active_jobs=1, queued_jobs=0, due_pages=0, put_off_pages=1)
    (page,) = await store.pages("anna", job.id, numbers=[1])
    assert (page.state, page.attempts, page.error) == (PageState.WAITING, 0, "")


async def test_a_page_that_kills_its_workers_fails_and_the_job_ends(store: Store, hasty: Leases) -> None:
    """The last page of a job may be such a page: the job goes on to its end without it."""
    job, _ = await store.create(sample_job(pages=2))
    good, _ = await hasty.claim("w0", 2)
    await hasty.record([result_of(good)])
    for _ in range(2):
        assert (await hasty.sweep()).lapsed == 1
        await hasty.claim("w1", 1)
    assert await hasty.sweep() == Swept(lapsed=1, failed=1)
    now = await store.job("anna", job.id)
    assert (now.state, now.pages_failed) == (JobState.FINALIZING, 1)
    (page,) = await store.pages("anna", job.id, numbers=[2])
    assert page.state is PageState.FAILED
    assert page.error


async def test_an_assembly_that_kills_its_workers_fails_the_job(store: Store, hasty: Leases) -> None:
    """It is not tried for ever, but four times as often as a page: all pages' work hangs on it."""
    job, _ = await store.create(sample_job(webhook_url="https://x.test/"))
    (lease,) = await hasty.claim("w1", 1)
    await hasty.record([result_of(lease)])
    for _ in range(4 * 3):
        assert (await store.job("anna", job.id)).state is JobState.FINALIZING
        assert len(await hasty.claim("w1", 1)) == 1
        await hasty.sweep()
    ended = await store.job("anna", job.id)
    assert ended.state is JobState.FAILED
    assert ended.error


async def test_several_sweep_at_once(store: Store, hasty: Leases) -> None:
    """Every lapse is counted once, whoever does it."""
    for number in range(4):
        await store.create(sample_job(number, pages=10, tenant=f"t{number % 2}"))
    assert len(await hasty.claim("dead", 40)) == 40
    swept = await asyncio.gather(*(hasty.sweep() for _ in range(6)))
    assert sum(each.lapsed for each in swept) == 40
    again = await hasty.claim("w1", 99)
    assert [lease.attempt for lease in again] == [2] * 40


async def test_more_than_one_sweep_can_take(store: Store, hasty: Leases) -> None:
    """The rest is done by the next."""
    await store.create(sample_job(pages=250))
    await hasty.claim("dead", 250)
    assert (await hasty.sweep()).lapsed + (await hasty.sweep()).lapsed == 250


async def test_a_job_that_nobody_puts_together(store: Store, leases: Leases, database: Database) -> None:
    """Should its task ever be lost, it is given again."""
    job, _ = await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    await leases.record([result_of(lease)])
    (whole,) = await leases.claim("w1", 1)
    await leases.finish(whole, JobState.DONE)
    async with database.write() as connection:
        back = update(jobs).where(jobs.c.id == job.id).values(state=JobState.FINALIZING, finished=None)
        await connection.execute(back)
    assert (await leases.sweep()).reassembled == 1
    assert (await leases.sweep()).reassembled == 0
    (again,) = await leases.claim("w1", 1)
    assert again.number == 0
    assert await leases.finish(again, JobState.DONE)


async def test_a_page_that_was_renewed_meanwhile_is_left_alone(
    store: Store, leases: Leases, hasty: Leases, database: Database
) -> None:
    """A sweep looks again once it holds the job."""
    await store.create(sample_job())
    (lease,) = await hasty.claim("w1", 1)
    assert await leases.beat("w1", [lease.token]) == {lease.token}
    async with database.write() as connection:
        assert await leases._sweeper._reap(connection, [page_id_of(lease.token)]) == (0, 0)
