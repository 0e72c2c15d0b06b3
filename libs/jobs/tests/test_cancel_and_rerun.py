"""Stopping jobs, reading pages again, and deleting what has ended."""

import pytest
from pecia_core.errors import Conflict, NotFound, PeciaError
from pecia_jobs.blobs import job_prefix
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, Job, JobState, PageState
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job


async def reach(store: Store, leases: Leases, state: JobState, pages: int = 2) -> Job:
    """A job in this state; one of its pages has failed where it is partial."""
    later = 1e11 if state is JobState.SCHEDULED else None
    job, _ = await store.create(sample_job(pages=pages, not_before=later))
    if state is JobState.CANCELLED:
        await store.cancel("anna", job.id)
    if state in {JobState.SCHEDULED, JobState.QUEUED, JobState.CANCELLED}:
        return await store.job("anna", job.id)
    claimed = await leases.claim("w1", pages if state is not JobState.RUNNING else 1)
    if state is not JobState.RUNNING:
        if state is JobState.PARTIAL:
            await leases.fail(claimed.pop(), "invalid_image", "Bad.", permanent=True)
        await leases.record([result_of(lease) for lease in claimed])
    if state.terminal:
        (whole,) = await leases.claim("w1", 1)
        await leases.finish(whole, state)
    return await store.job("anna", job.id)


@pytest.mark.parametrize("state", list(JobState))
async def test_a_job_can_be_cancelled_at_any_time(store: Store, leases: Leases, state: JobState) -> None:
    """A live one ends at once, with all that waited or ran; an ended one stays what it is. Twice is once."""
    job = await reach(store, leases, state)
    assert job.state is state
    cancelled = await store.cancel("anna", job.id)
    assert cancelled == await store.cancel("anna", job.id)
    assert cancelled.state is (state if state.terminal else JobState.CANCELLED)
    assert cancelled.finished
    states = {page.state for page in await store.pages("anna", job.id)}
    assert states <= {PageState.DONE, PageState.FAILED, PageState.CANCELLED}
    assert await leases.claim("w1", 9) == []
    await leases.sweep()
    assert await store.job("anna", job.id) == cancelled


async def test_a_cancel_is_heard_by_who_works_on_it(store: Store, leases: Leases) -> None:
    """With the next look or beat; what was recorded before stays, what comes after is dropped."""
    job, _ = await store.create(sample_job(pages=4, password="geheim"))
    first, second, third = await leases.claim("w1", 3)
    await leases.record([result_of(first)])
    await store.cancel("anna", job.id)
    assert await leases.held([second.token, third.token]) == set()
    assert await leases.beat("w1", [second.token, third.token]) == set()
    assert await leases.record([result_of(second)]) == set()
    assert await leases.fail(third, "server_error", "No.", permanent=True) is None
    await leases.release([second.token, third.token])
    assert [page.state for page in await store.pages("anna", job.id)] == ["done"] + ["cancelled"] * 3
    assert (await store.spec(job.id)).password == ""


async def test_a_waiting_retry_is_cancelled_too(store: Store, leases: Leases) -> None:
    """It never becomes due."""
    job, _ = await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    await leases.fail(lease, "server_error", "Busy.", permanent=False, retry_after=0)
    await store.cancel("anna", job.id)
    assert (await leases.sweep()).promoted == 0
    assert await leases.claim("w1", 1) == []


async def test_resume_reads_what_failed_or_was_cancelled(store: Store, leases: Leases) -> None:
    """And nothing that is done; the attempts begin anew."""
    job, _ = await store.create(sample_job(pages=4))
    first, second = await leases.claim("w1", 2)
    await leases.record([result_of(first)])
    await leases.fail(second, "invalid_image", "Bad.", permanent=True)
    await store.cancel("anna", job.id)
    resumed = await store.rerun("anna", job.id)
    assert (resumed.state, resumed.pages_done, resumed.pages_failed) == (JobState.QUEUED, 1, 0)
    assert resumed.finished is None
    claimed = await leases.claim("w1", 9)
    assert [(lease.number, lease.attempt) for lease in claimed] == [(2, 1), (3, 1), (4, 1)]
    await leases.record([result_of(lease) for lease in claimed])
    (whole,) = await leases.claim("w1", 9)
    assert whole.number == ASSEMBLY
    await leases.finish(whole, JobState.DONE)
    assert (await store.job("anna", job.id)).state is JobState.DONE


@pytest.mark.parametrize("state", [JobState.DONE, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED])
async def test_pages_of_an_ended_job_are_read_again(store: Store, leases: Leases, state: JobState) -> None:
    """Single pages by number, whatever became of them; the job ends once more."""
    job = await reach(store, leases, state)
    again = await store.rerun("anna", job.id, [2])
    assert again.state is JobState.QUEUED
    assert again.seq > job.seq
    (lease,) = await leases.claim("w1", 9)
    assert lease.number == 2
    await leases.record([result_of(lease)])
    assert (await store.job("anna", job.id)).state is JobState.FINALIZING
    first, _ = await store.pages("anna", job.id)
    if state is JobState.CANCELLED:  # its first page was never read: the result is short of it, and says so
        assert (first.state, first.error_code) == (PageState.FAILED, "cancelled")


async def test_a_page_of_a_running_job_is_read_again(store: Store, leases: Leases) -> None:
    """It is counted back, and queued with the others; what is leased or waits is left alone."""
    job, _ = await store.create(sample_job(pages=3))
    first, second = await leases.claim("w1", 2)
    await leases.record([result_of(first)])
    again = await store.rerun("anna", job.id, [1, 2])
    assert (again.state, again.pages_done) == (JobState.RUNNING, 0)
    assert await leases.held([second.token]) == {second.token}
    assert {lease.number for lease in await leases.claim("w1", 9)} == {1, 3}


async def test_a_job_being_put_together_goes_back_to_its_pages(store: Store, leases: Leases) -> None:
    """Whoever puts it together has lost the task, leased or not."""
    job = await reach(store, leases, JobState.FINALIZING)
    for claimed_before in (False, True):
        held = await leases.claim("w1", 1) if claimed_before else []
        assert (await store.rerun("anna", job.id, [1])).state is JobState.RUNNING
        if held:
            assert not await leases.finish(held[0], JobState.DONE)
        (lease,) = await leases.claim("w1", 9)
        assert lease.number == 1
        await leases.record([result_of(lease)])
        assert (await store.job("anna", job.id)).state is JobState.FINALIZING


async def test_what_cannot_be_run_again(store: Store, leases: Leases) -> None:
    """Nothing to do, a page that is not there, a job that has not begun, a password that is forgotten."""
    job, _ = await store.create(sample_job(pages=2, password="geheim"))
    for numbers, refusal in ((None, Conflict), ([1], Conflict), ([3], NotFound), ([0], NotFound)):
        with pytest.raises(refusal):
            await store.rerun("anna", job.id, numbers)
    claimed = await leases.claim("w1", 2)
    await leases.fail(claimed[0], "invalid_image", "Bad.", permanent=True)
    assert (await store.rerun("anna", job.id)).pages_failed == 0  # the password is still there
    await store.cancel("anna", job.id)
    with pytest.raises(Conflict, match="password"):
        await store.rerun("anna", job.id)


async def test_only_the_owner_changes_a_job(store: Store) -> None:
    """For everybody else it is not there."""
    job, _ = await store.create(sample_job())
    for attempt in (
        store.job("bela", job.id),
        store.pages("bela", job.id),
        store.cancel("bela", job.id),
        store.rerun("bela", job.id),
        store.forget("bela", job.id),
        store.job("anna", "none"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await store.job("anna", job.id)).state is JobState.QUEUED


async def test_only_what_has_ended_is_forgotten(store: Store, leases: Leases) -> None:
    """Its rows go, and the folder of its blobs is named."""
    job, _ = await store.create(sample_job(pages=3, webhook_url="https://x.test/"))
    with pytest.raises(Conflict) as refused:
        await store.forget("anna", job.id)
    assert isinstance(refused.value, PeciaError)
    assert refused.value.code == "job_not_completed"
    await store.cancel("anna", job.id)
    assert await store.forget("anna", job.id) == [job_prefix("anna", job.id)]
    with pytest.raises(NotFound):
        await store.pages("anna", job.id)
    assert await leases.claim("w1", 9) == []
