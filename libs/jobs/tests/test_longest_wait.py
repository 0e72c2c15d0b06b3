"""How long a page waits that is next: of every tenant and priority, and of nothing that does not wait."""

from pecia_core.vocabulary import Priority
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.schema import page_ready
from pecia_jobs.store import Store
from pecia_jobs.testing import sample_job
from sqlalchemy import func, select, update

HOUR = 3600.0


async def _waiting_for(database: Database, seconds: float, tenant: str, priority: int = 1) -> None:
    """Let the pages of a line have come so long ago."""
    mine = (page_ready.c.tenant == tenant) & (page_ready.c.priority == priority)
    async with database.write() as connection:
        await connection.execute(update(page_ready).where(mine).values(since=Database.now - seconds))


async def test_nobody_waits(store: Store, leases: Leases) -> None:
    """Without jobs, and when all pages are being read; a job whose time has not come waits for nothing."""
    assert await store.longest_wait() == 0.0
    await store.create(sample_job(1, pages=2))
    await store.create(sample_job(2, pages=2, not_before=4e9))
    assert 0.0 <= await store.longest_wait() < 60.0
    await leases.claim("w1", 2)
    assert await store.longest_wait() == 0.0


async def test_the_head_of_every_line_is_looked_at(store: Store, database: Database, leases: Leases) -> None:
    """A tenant's own high priority does not hide what is behind it; another tenant's pages hide nothing."""
    await store.create(sample_job(1, pages=2))
    await store.create(sample_job(2, pages=1, priority=Priority.FLEX))
    await store.create(sample_job(3, pages=1, tenant="budi"))
    await _waiting_for(database, 3 * HOUR, "anna", priority=2)
    await _waiting_for(database, 2 * HOUR, "budi")
    assert 3 * HOUR <= await store.longest_wait() < 3 * HOUR + 60
    taken = {(lease.tenant, lease.job_id[-1]) for lease in await leases.claim("w1", 4)}
    assert taken == {("anna", "1"), ("anna", "2"), ("budi", "3")}
    assert await store.longest_wait() == 0.0


async def test_a_page_that_is_read_again_waits_anew(store: Store, database: Database, leases: Leases) -> None:
    """Its job may be a week old: what counts is when it came into the line."""
    job, _ = await store.create(sample_job(1, pages=1))
    (lease,) = await leases.claim("w1", 1)
    await leases.fail(lease, "invalid_image", "Bad.", permanent=True)
    await leases.claim("w1", 1)
    await store.cancel(job.tenant, job.id)
    await store.rerun(job.tenant, job.id)
    assert 0.0 <= await store.longest_wait() < 60.0


async def test_rows_of_an_older_release_have_no_time(store: Store, database: Database) -> None:
    """They are passed over until they are read."""
    await store.create(sample_job(1, pages=3))
    async with database.write() as connection:
        await connection.execute(update(page_ready).values(since=None))
        assert (await connection.execute(select(func.count()).select_from(page_ready))).scalar() == 3
    assert await store.longest_wait() == 0.0
