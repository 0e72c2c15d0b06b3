"""The store of jobs against a model of it: any order of what owners, workers, time and retention do."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pecia_core.errors import Conflict, NotFound
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState, Lease, PageState
from pecia_jobs.retention import Limits, Retention
from pecia_jobs.schema import metadata
from pecia_jobs.store import Store
from pecia_jobs.testing import PostgresServer, audit, result_of, sample_job, sqlite_url
from sqlalchemy import text

T = TypeVar("T")
TENANTS = st.sampled_from(["anna", "ben"])
PICK = st.integers(0, 1 << 16)
ATTEMPTS = 3
ENDED = {JobState.DONE, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED}


class Machine(RuleBasedStateMachine):
    """What the model knows: whose jobs there are, which leases were lost, which pages are read."""

    open_database: Callable[[], Coroutine[Any, Any, Database]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = self.run(type(self).open_database())
        self.store = Store(self.database)
        self.leases = Leases(self.database, lease_s=60.0, max_attempts=ATTEMPTS)
        self.hasty = Leases(self.database, lease_s=0.0, max_attempts=ATTEMPTS)
        self.owners: dict[str, str] = {}
        self.given: list[Lease] = []
        self.lost: set[str] = set()
        self.read: dict[tuple[str, int], str] = {}
        self.made = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def job(self, pick: int) -> str:
        return sorted(self.owners)[pick % len(self.owners)]

    def lease(self, pick: int) -> Lease:
        """One of the last few: what is long over is tried less often."""
        return self.given[-1 - pick % min(len(self.given), 6)]

    @initialize(tenant=TENANTS, pages=st.integers(2, 4))
    def begin(self, tenant: str, pages: int) -> None:
        self.create(tenant=tenant, pages=pages)

    @rule(tenant=TENANTS, pages=st.integers(1, 4))
    def create(self, tenant: str, pages: int) -> None:
        self.made += 1
        job, made = self.run(self.store.create(sample_job(self.made, pages, tenant=tenant)))
        assert made
        assert job.id not in self.owners
        self.owners[job.id] = tenant

    @rule(worker=st.sampled_from(["w1", "w2"]), count=st.integers(1, 3), hasty=st.booleans())
    def claim(self, worker: str, count: int, *, hasty: bool) -> None:
        for lease in self.run((self.hasty if hasty else self.leases).claim(worker, count)):
            assert lease.token not in {one.token for one in self.given}
            assert self.owners[lease.job_id] == lease.tenant
            assert (lease.job_id, lease.number) not in self.read
            assert lease.attempt <= ATTEMPTS or lease.number == 0
            self.given.append(lease)

    @rule(count=st.integers(1, 3))
    def overtake(self, count: int) -> None:
        """A worker sleeps over the end of its leases, and another has its pages now."""
        first = self.run(self.hasty.claim("w1", count))
        self.run(self.hasty.sweep())
        self.given += (second := self.run(self.leases.claim("w2", 4)))
        self.given += first
        taken = {(lease.job_id, lease.number) for lease in second}
        self.lost |= {lease.token for lease in first if (lease.job_id, lease.number) in taken}

    @precondition(lambda self: self.given)
    @rule(pick=PICK)
    def record(self, pick: int) -> None:
        lease = self.lease(pick)
        if lease.number == 0:
            held = self.run(self.leases.held([lease.token]))
            assert self.run(self.leases.finish(lease, JobState.DONE)) == bool(held)
        else:
            held = self.run(self.leases.held([lease.token]))
            place = (lease.job_id, lease.number)
            # Said twice by the same worker, whose first answer was lost, it is good both times.
            again = {lease.token} if self.read.get(place) == lease.token else set()
            assert self.run(self.leases.record([result_of(lease)])) == held | again
            if held:
                self.read[place] = lease.token
        assert not held & self.lost
        self.lost.add(lease.token)

    @precondition(lambda self: self.given)
    @rule(pick=PICK, permanent=st.booleans())
    def fail(self, pick: int, *, permanent: bool) -> None:
        lease = self.lease(pick)
        held = self.run(self.leases.held([lease.token]))
        self.run(self.leases.fail(lease, "server_error", "It broke.", permanent=permanent))
        assert not held & self.lost
        self.lost.add(lease.token)

    @precondition(lambda self: self.given)
    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        lease = self.lease(pick)
        self.run(self.leases.release([lease.token]))
        self.lost.add(lease.token)

    @rule()
    def lapse(self) -> None:
        self.run(self.hasty.sweep())

    @precondition(lambda self: self.owners)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        job_id = self.job(pick)
        before = self.run(self.store.job(self.owners[job_id], job_id)).state
        after = self.run(self.store.cancel(self.owners[job_id], job_id)).state
        assert after == (before if before in ENDED else JobState.CANCELLED)
        if before not in ENDED:
            self.lost |= {lease.token for lease in self.given if lease.job_id == job_id}

    @precondition(lambda self: self.owners)
    @rule(pick=PICK, page=st.one_of(st.none(), st.integers(1, 4)))
    def resume(self, pick: int, page: int | None) -> None:
        job_id = self.job(pick)
        try:
            self.run(self.store.rerun(self.owners[job_id], job_id, None if page is None else [page]))
        except (Conflict, NotFound):
            return
        if page is not None:
            self.read.pop((job_id, page), None)

    @precondition(lambda self: self.owners)
    @rule(pick=PICK)
    def forget(self, pick: int) -> None:
        job_id = self.job(pick)
        try:
            self.run(self.store.forget(self.owners[job_id], job_id))
        except Conflict:
            assert self.run(self.store.job(self.owners[job_id], job_id)).state not in ENDED
            return
        self._drop(job_id)

    @rule()
    def purge(self) -> None:
        ended = {
            job_id
            for job_id, tenant in self.owners.items()
            if self.run(self.store.job(tenant, job_id)).state in ENDED
        }
        limits = Limits(max_age_s=1e-9, max_jobs=1000, max_bytes=1 << 40)
        self.run(Retention(self.database, limits).purge())
        for job_id in ended:
            self._drop(job_id)

    def _drop(self, job_id: str) -> None:
        tenant = self.owners.pop(job_id)
        self.read = {place: token for place, token in self.read.items() if place[0] != job_id}
        self.lost |= {lease.token for lease in self.given if lease.job_id == job_id}
        with pytest.raises(NotFound):
            self.run(self.store.job(tenant, job_id))

    @precondition(lambda self: self.owners)
    @rule(pick=PICK)
    def pry(self, pick: int) -> None:
        """The other tenant finds nothing, and changes nothing."""
        job_id = self.job(pick)
        other = "ben" if self.owners[job_id] == "anna" else "anna"
        for touch in (
            self.store.job,
            self.store.cancel,
            self.store.forget,
            self.store.rerun,
            self.store.pages,
        ):
            with pytest.raises(NotFound):
                self.run(touch(other, job_id))

    @invariant()
    def everything_fits(self) -> None:
        assert self.run(audit(self.database)) == []
        held = self.run(self.leases.held([lease.token for lease in self.given]))
        assert not held & self.lost
        places = [(lease.job_id, lease.number) for lease in self.given if lease.token in held]
        assert len(places) == len(set(places))
        for tenant in ("anna", "ben"):
            listed = {job.id for job in self.run(self.store.jobs(tenant))[0]}
            assert listed == {job_id for job_id, owner in self.owners.items() if owner == tenant}
        done = {
            (job_id, page.number)
            for job_id, tenant in self.owners.items()
            for page in self.run(self.store.pages(tenant, job_id))
            if page.state is PageState.DONE
        }
        assert done == self.read.keys()

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_order_of_events_leaves_a_store_that_fits(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """No page is read twice at once or lost, no lost lease comes back, no tenant sees the other's."""
    server: PostgresServer | None = request.getfixturevalue("server") if kind == "postgres" else None

    async def opened() -> Database:
        if server is None:
            shutil.rmtree(tmp_path / "jobs", ignore_errors=True)
            (tmp_path / "jobs").mkdir()
        database = Database(server.url() if server else sqlite_url(tmp_path / "jobs"))
        await database.migrate()
        if server:
            async with database.write() as connection:
                names = ", ".join(metadata.tables)
                await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        return database

    class Here(Machine):
        open_database = staticmethod(opened)

    run_state_machine_as_test(
        Here,
        settings=settings(
            settings.get_profile(settings.get_current_profile_name()),
            max_examples=max(6, settings().max_examples // 100),
            # A sequence is told as it was found: making it shorter takes longer than finding it.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
