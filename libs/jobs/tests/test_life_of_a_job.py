"""A job from its making to its end."""

from collections.abc import Callable

from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, JobState, Lease, NewJob, PageResult, PageSource, PageState
from pecia_jobs.store import Store


def done(lease: Lease, size: int = 10) -> PageResult:
    """What a worker says of a page it has read."""
    key = f"pages/{lease.number}.{lease.token}.json"
    return PageResult(lease, key, "0" * 64, size, PageSource.OCR, "rapid", confidence=0.9)


async def test_every_page_and_then_the_whole(
    store: Store, leases: Leases, new_job: Callable[..., NewJob]
) -> None:
    """Pages are claimed in order, recorded once, and the last one brings the assembly task."""
    job, made = await store.create(new_job(1, pages=3))
    assert made
    assert job.state is JobState.QUEUED
    claimed = await leases.claim("w1", 2)
    assert [lease.number for lease in claimed] == [1, 2]
    assert (await store.job("anna", job.id)).state is JobState.RUNNING
    assert await leases.record([done(lease) for lease in claimed]) == {lease.token for lease in claimed}
    (last,) = await leases.claim("w1", 5)
    assert await leases.beat("w1", [last.token]) == {last.token}
    assert await leases.held([last.token, claimed[0].token]) == {last.token}
    await leases.record([done(last)])
    assert (await store.job("anna", job.id)).state is JobState.FINALIZING
    (whole,) = await leases.claim("w1", 5)
    assert whole.number == ASSEMBLY
    assert await leases.finish(whole, JobState.DONE, stored=7)
    ended = await store.job("anna", job.id)
    assert ended.state is JobState.DONE
    assert ended.bytes_stored == 1000 + 30 + 7
    assert ended.finished
    assert [page.state for page in await store.pages("anna", job.id)] == [PageState.DONE] * 3
    assert await leases.claim("w1", 5) == []
