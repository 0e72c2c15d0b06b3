"""What goes when there is too much, and what never goes."""

from dataclasses import replace
from functools import partial

import pytest
from pecia_jobs import retention as retention_module
from pecia_jobs.blobs import job_prefix
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.retention import Limits, Retention
from pecia_jobs.reviews import Reviews, ReviewStatus
from pecia_jobs.schema import job as jobs
from pecia_jobs.schema import review, trash
from pecia_jobs.store import Store
from pecia_jobs.testing import sample_job
from sqlalchemy import update

ROOMY = Limits(max_bytes=10**9, max_jobs=1000, max_age_s=10**6)


async def fill(store: Store) -> list[str]:
    """Five jobs of 1,000 bytes; all but the second have ended, in this order."""
    made = [(await store.create(sample_job(number)))[0].id for number in range(5)]
    for job_id in (made[3], made[0], made[2], made[4]):
        await store.cancel("anna", job_id)
    return made


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        (ROOMY, []),
        (replace(ROOMY, max_jobs=4), [3]),
        (replace(ROOMY, max_bytes=2500), [3, 0, 2]),
        (replace(ROOMY, max_age_s=0), [3, 0, 2, 4]),
        (replace(ROOMY, max_jobs=0), [3, 0, 2, 4]),
    ],
)
async def test_the_oldest_go_first(store: Store, database: Database, limits: Limits, gone: list[int]) -> None:
    """By count, by bytes or by age; a job that has not ended stays whatever the limits say."""
    made = await fill(store)
    purged = await Retention(database, limits).purge()
    assert purged == [job_prefix("anna", made[place]) for place in gone]
    left, _ = await store.jobs("anna")
    assert {job.id for job in left} == set(made) - {made[place] for place in gone}


async def test_blobs_are_named_until_they_are_deleted(store: Store, database: Database) -> None:
    """A crash between rows and blobs leaves nothing behind; a late writer's blob is found as well."""
    await fill(store)
    retention = Retention(database, replace(ROOMY, max_jobs=4))
    (prefix,) = await retention.purge()
    assert await retention.purge() == [prefix]
    await retention.emptied(prefix)
    assert await retention.purge() == []
    async with database.write() as connection:
        await connection.execute(update(trash).values(due=0.0))
    assert await retention.purge() == [prefix]
    await retention.emptied(prefix)
    async with database.write() as connection:
        assert (await connection.execute(trash.select())).all() == []


async def test_a_job_that_was_run_again_meanwhile_stays(
    store: Store, leases: Leases, database: Database
) -> None:
    """It was chosen while it had ended."""
    made = await fill(store)
    retention = Retention(database, replace(ROOMY, max_jobs=4))
    chosen = await retention.candidates()
    await store.rerun("anna", made[3])
    for row in chosen:
        await database.changing(partial(retention_module._forget, row=row))
    assert (await store.job("anna", made[3])).id == made[3]


async def test_an_ended_job_says_when_it_goes(store: Store, database: Database) -> None:
    """So many seconds after its end."""
    aged = Store(database, max_age_s=3600)
    job, _ = await aged.create(sample_job())
    assert job.expires is None
    ended = await aged.cancel("anna", job.id)
    assert ended.expires == (ended.finished or 0) + 3600
    assert (await store.job("anna", job.id)).expires is None
    async with database.write() as connection:
        await connection.execute(update(jobs).values(finished=1.0))
    assert len(await Retention(database, ROOMY).purge()) == 1


async def test_reviews_go_with_their_time(store: Store, database: Database) -> None:
    """Decided ones a week after, those nobody answered after three months; never while the job is there."""
    reviews, day = Reviews(database), 86400.0
    ages = {"decided long ago": 8, "decided": 6, "asked in vain": 91, "asked": 89, "of a job": 400}
    made = {}
    for number, (name, days) in enumerate(ages.items()):
        job, _ = await store.create(sample_job(number, reference=name))
        await store.cancel(job.tenant, job.id)
        asked = await reviews.ask(job, 40.0)
        if name.startswith("decided"):
            await reviews.decide(asked.id, ReviewStatus.APPROVED, "")
        if name != "of a job":
            await store.forget(job.tenant, job.id)
        async with database.write() as connection:
            then = {"created": Database.now - days * day}
            then |= {"decided": Database.now - days * day} if name.startswith("decided") else {}
            await connection.execute(update(review).where(review.c.job_id == job.id).values(then))
        made[name] = job.id
    await Retention(database, ROOMY).purge()
    left = {name for name, job_id in made.items() if await reviews.of_job(job_id)}
    assert left == {"decided", "asked", "of a job"}
