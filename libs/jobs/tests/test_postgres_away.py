"""PostgreSQL stopped, killed and started again in the middle of the work."""

import asyncio
from collections.abc import Iterator

import pytest
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState
from pecia_jobs.store import Store
from pecia_jobs.testing import NoPostgres, PostgresServer, audit, postgres, result_of, sample_job


@pytest.fixture
def own_server(server: PostgresServer) -> Iterator[PostgresServer]:
    """One that may be killed; `server` says whether there can be any."""
    try:
        with postgres() as running:
            yield running
    except NoPostgres as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_work_goes_on_when_the_server_is_back(own_server: PostgresServer, how: str) -> None:
    """Whatever was asked meanwhile is delayed; nothing is lost and nothing is counted twice."""
    database = Database(await own_server.new_database())
    await database.migrate()
    store, leases = Store(database), Leases(database, lease_s=1.0, max_attempts=99)
    jobs = [(await store.create(sample_job(number, pages=30)))[0].id for number in range(2)]
    finished: list[str] = []

    async def work(worker: str) -> None:
        while len(finished) < len(jobs):
            claimed = await leases.claim(worker, 3)
            await asyncio.sleep(0.02)
            await leases.record([result_of(lease) for lease in claimed if lease.number])
            for lease in claimed:
                if not lease.number and await leases.finish(lease, JobState.DONE):
                    finished.append(lease.job_id)
            await leases.sweep()

    workers = [asyncio.create_task(work(f"w{number}")) for number in range(3)]
    for _ in range(2):
        await asyncio.sleep(0.4)
        await asyncio.to_thread(getattr(own_server, how))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(own_server.start)
    await asyncio.wait_for(asyncio.gather(*workers), 120)
    for job_id in jobs:
        job = await store.job("anna", job_id)
        assert (job.state, job.pages_done) == (JobState.DONE, 30)
    assert await audit(database) == []
    await database.close()
