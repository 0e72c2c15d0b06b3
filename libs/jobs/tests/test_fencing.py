"""Whoever lost a lease changes nothing; whoever repeats himself is counted once."""

from pecia_jobs.leases import Leases
from pecia_jobs.model import JobState, PageState
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job


async def test_a_worker_back_from_the_dead_records_nothing(
    store: Store, leases: Leases, hasty: Leases
) -> None:
    """Its lease lapsed, another has the page: its result is dropped and the other's counts."""
    job, _ = await store.create(sample_job())
    (old,) = await hasty.claim("dead", 1)
    assert (await leases.sweep()).lapsed == 1
    (new,) = await leases.claim("alive", 1)
    assert (new.number, new.attempt) == (old.number, 2)
    assert new.token != old.token
    assert await leases.record([result_of(old)]) == set()
    assert await leases.fail(old, "server_error", "Late.", permanent=True) is None
    await leases.release([old.token])
    assert await leases.held([old.token, new.token]) == {new.token}
    assert await leases.record([result_of(new), result_of(old)]) == {new.token}
    (page,) = await store.pages("anna", job.id)
    assert page.result_key == result_of(new).result_key


async def test_a_late_worker_records_nothing_even_when_the_page_is_done(
    store: Store, leases: Leases, hasty: Leases
) -> None:
    """The page keeps the result that was recorded."""
    job, _ = await store.create(sample_job(pages=2))
    (old,) = await hasty.claim("dead", 1)
    await leases.sweep()
    (new,) = await leases.claim("alive", 1)
    await leases.record([result_of(new)])
    assert await leases.record([result_of(old)]) == set()
    assert (await store.job("anna", job.id)).pages_done == 1


async def test_a_lease_that_lapsed_and_that_nobody_took_still_counts(store: Store, hasty: Leases) -> None:
    """A slow worker is no dead one: until a sweep its result is welcome, and a beat saves the lease."""
    await store.create(sample_job(pages=2))
    first, second = await hasty.claim("slow", 2)
    assert await hasty.record([result_of(first)]) == {first.token}
    assert await hasty.beat("slow", [second.token]) == {second.token}


async def test_saying_it_twice_counts_once(store: Store, leases: Leases) -> None:
    """The answer to a recording may be lost: it is asked again and gets the same answer."""
    job, _ = await store.create(sample_job(pages=3))
    first, second, third = await leases.claim("w1", 3)
    for _ in range(2):
        assert await leases.record([result_of(first)]) == {first.token}
        assert await leases.fail(second, "invalid_image", "Bad.", permanent=True) is PageState.FAILED
        assert await leases.fail(third, "server_error", "Busy.", permanent=False) is PageState.WAITING
    now = await store.job("anna", job.id)
    assert (now.pages_done, now.pages_failed) == (1, 1)


async def test_finishing_twice_ends_the_job_once(store: Store, leases: Leases) -> None:
    """The second time says yes, and nothing has changed."""
    job, _ = await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    await leases.record([result_of(lease)])
    (whole,) = await leases.claim("w1", 1)
    assert await leases.finish(whole, JobState.DONE, stored=5)
    ended = await store.job("anna", job.id)
    assert await leases.finish(whole, JobState.FAILED, stored=5, error="No.")
    assert await store.job("anna", job.id) == ended


async def test_who_lost_the_assembly_ends_nothing(store: Store, leases: Leases, hasty: Leases) -> None:
    """Only the worker that has the task now may end the job."""
    job, _ = await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    await leases.record([result_of(lease)])
    (old,) = await hasty.claim("dead", 1)
    await leases.sweep()
    (new,) = await leases.claim("alive", 1)
    assert not await leases.finish(old, JobState.FAILED)
    assert (await store.job("anna", job.id)).state is JobState.FINALIZING
    assert await leases.finish(new, JobState.DONE)
    assert not await leases.finish(old, JobState.FAILED)


async def test_a_beat_judges_only_what_was_sent(store: Store, leases: Leases, hasty: Leases) -> None:
    """A page that was claimed while a beat was under way is neither renewed nor judged by it.

    A heartbeat by worker instead of by token renewed pages their worker no longer worked on: they were
    leased for ever and their job hung.
    """
    await store.create(sample_job(pages=3))
    forgotten, meanwhile, working = await hasty.claim("w1", 3)
    assert await leases.beat("w1", [working.token]) == {working.token}
    swept = await leases.sweep()
    assert swept.lapsed == 2
    assert await leases.held([forgotten.token, meanwhile.token, working.token]) == {working.token}


async def test_tokens_of_one_claim_differ(store: Store, leases: Leases) -> None:
    """Every page has a token of its own, safe in a file name; nonsense is no token."""
    await store.create(sample_job(pages=9))
    tokens = [lease.token for lease in await leases.claim("w1", 9)]
    assert len({token.partition("-")[2] for token in tokens}) == 9
    assert all(token.replace("-", "").isalnum() for token in tokens)
    first = tokens[0]
    nonsense = ["", "-", "1-", "x-1", f"{first}0", f"0{first}", "9" * 40 + "-1", first.upper() + "!", "²-1"]
    assert await leases.beat("w1", nonsense) == set()
    assert await leases.held(nonsense) == set()
    assert await leases.beat("w1", []) == await leases.held([]) == set()
    assert await leases.record([]) == set()


async def test_a_page_given_back_costs_no_attempt(store: Store, leases: Leases) -> None:
    """Others take it at once, and first."""
    await store.create(sample_job(pages=2))
    (lease,) = await leases.claim("w1", 1)
    await leases.release([lease.token])
    again = await leases.claim("w2", 2)
    assert [(page.number, page.attempt) for page in again] == [(1, 1), (2, 1)]
    await leases.release([page.token for page in again])
    await leases.release([page.token for page in again])
    assert [page.number for page in await leases.claim("w1", 9)] == [1, 2]
