"""One job for each idempotency key, however often and at how many places it is asked for."""

import asyncio
from dataclasses import replace

import pytest
from pecia_core.errors import Conflict
from pecia_jobs.store import Store
from pecia_jobs.testing import sample_job


async def test_the_same_key_twenty_times_at_once(store: Store) -> None:
    """One is made, and the others are given it."""
    asked = [
        sample_job(number, pages=2, idempotency_key="k", idempotency_digest="same") for number in range(20)
    ]
    answers = await asyncio.gather(*(store.create(new) for new in asked))
    assert len({job.id for job, _ in answers}) == 1
    assert [made for _, made in answers].count(True) == 1
    jobs, _ = await store.jobs("anna")
    assert len(jobs) == 1


async def test_the_same_key_for_something_else(store: Store) -> None:
    """Is refused; of another tenant it is another key, and no key is none."""
    await store.create(sample_job(1, idempotency_key="k", idempotency_digest="one"))
    with pytest.raises(Conflict) as refused:
        await store.create(sample_job(2, idempotency_key="k", idempotency_digest="two"))
    assert refused.value.code == "idempotency_conflict"
    for number, tenant, key in ((3, "bela", "k"), (4, "anna", ""), (5, "anna", ""), (6, "anna", "l")):
        _, made = await store.create(sample_job(number, tenant=tenant, idempotency_key=key))
        assert made


async def test_a_making_whose_answer_was_lost(store: Store) -> None:
    """The same job asked for again was made once, and it was this caller who made it."""
    new = sample_job(pages=3)
    first, _ = await store.create(new)
    again, made = await store.create(new)
    assert made
    assert again == first
    with pytest.raises(Conflict):
        await store.create(replace(new, idempotency_digest="else"))
