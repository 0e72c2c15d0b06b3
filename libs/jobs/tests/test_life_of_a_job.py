"""A job from its making to its end: every arrow of its states."""

import pytest
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import ModelSize, Priority
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, JobOptions, JobState, PageSource, PageState
from pecia_jobs.store import Counts, Store
from pecia_jobs.testing import result_of, sample_job


async def test_every_page_and_then_the_whole(store: Store, leases: Leases) -> None:
    """Pages are claimed in order, recorded once, and the last one brings the assembly task."""
    job, made = await store.create(sample_job(pages=3))
    assert made
    assert (job.state, job.pages_total, job.seq, job.started) == (JobState.QUEUED, 3, 1, None)
    claimed = await leases.claim("w1", 2)
    assert [lease.number for lease in claimed] == [1, 2]
    running = await store.job("anna", job.id)
    assert running.state is JobState.RUNNING
    assert running.started
    assert await leases.record([result_of(lease) for lease in claimed]) == {lease.token for lease in claimed}
    (last,) = await leases.claim("w1", 5)
    assert await leases.beat("w1", [last.token]) == {last.token}
    assert await leases.held([last.token, claimed[0].token]) == {last.token}
    await leases.record([result_of(last)])
    assert (await store.job("anna", job.id)).state is JobState.FINALIZING
    (whole,) = await leases.claim("w1", 5)
    assert whole.number == ASSEMBLY
    assert await leases.finish(whole, JobState.DONE, stored=7)
    ended = await store.job("anna", job.id)
    assert (ended.state, ended.bytes_stored, ended.progress) == (JobState.DONE, 1000 + 30 + 7, 100.0)
    assert ended.created <= (ended.started or 0) <= (ended.finished or 0)
    assert [page.state for page in await store.pages("anna", job.id)] == [PageState.DONE] * 3
    assert await leases.claim("w1", 5) == []


async def test_what_was_asked_comes_back(store: Store) -> None:
    """Everything a caller said reaches the worker, and the password nobody's repr."""
    recognize = RecognizeOptions(model="deepseek-ocr", model_size=ModelSize.TINY, languages=("ind", "eng"))
    options = JobOptions("Free OCR.", recognize, dpi=150.0, text_layer=False)
    new = sample_job(
        options=options,
        priority=Priority.FLEX,
        password="geheim",
        webhook_url="https://x.test/",
        reference="d1",
    )
    job, _ = await store.create(new)
    spec = await store.spec(job.id)
    assert job.options == spec.options == options
    assert (job.priority, spec.priority) == (Priority.FLEX, Priority.FLEX)
    assert (spec.password, spec.webhook_url, spec.reference) == ("geheim", "https://x.test/", "d1")
    assert "geheim" not in f"{spec!r}{job!r}{new!r}"


async def test_a_page_tells_how_it_was_read(store: Store, leases: Leases) -> None:
    """Engine, source, confidence and the winning blob stand on the page."""
    job, _ = await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    result = result_of(lease)
    await leases.record([result])
    (page,) = await store.pages("anna", job.id)
    assert (page.engine, page.source, page.confidence) == ("rapid", PageSource.OCR, 0.9)
    assert (page.result_key, page.attempts) == (result.result_key, 1)
    assert page.finished


async def test_a_job_with_a_failed_page_is_partial(store: Store, leases: Leases) -> None:
    """Even when whoever puts it together says it is done; the failed page says why."""
    job, _ = await store.create(sample_job(pages=2))
    bad, good = await leases.claim("w1", 2)
    assert await leases.fail(bad, "invalid_image", "No picture.", permanent=True) is PageState.FAILED
    await leases.record([result_of(good)])
    (whole,) = await leases.claim("w1", 1)
    await leases.finish(whole, JobState.DONE)
    ended = await store.job("anna", job.id)
    assert (ended.state, ended.pages_done, ended.pages_failed) == (JobState.PARTIAL, 1, 1)
    (page,) = await store.pages("anna", job.id, numbers=[1])
    assert (page.state, page.error_code, page.error) == (PageState.FAILED, "invalid_image", "No picture.")


async def test_a_page_is_tried_again_until_its_attempts_are_spent(store: Store, leases: Leases) -> None:
    """It waits between its attempts, and the job goes on to its end when they are spent."""
    job, _ = await store.create(sample_job())
    for attempt in (1, 2, 3):
        (lease,) = await leases.claim("w1", 1)
        assert lease.attempt == attempt
        state = await leases.fail(lease, "server_error", "It broke.", permanent=False, retry_after=0)
        assert state is (PageState.FAILED if attempt == 3 else PageState.WAITING)
        assert await leases.claim("w1", 1) == [] or attempt == 3
        assert (await leases.sweep()).promoted == (attempt < 3)
    assert (await store.job("anna", job.id)).state is JobState.FINALIZING


async def test_a_retry_has_to_wait(store: Store, leases: Leases) -> None:
    """A page that is to be tried in a minute is not due before."""
    await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    assert (
        await leases.fail(lease, "server_error", "Busy.", permanent=False, retry_after=60)
        is PageState.WAITING
    )
    assert (await leases.sweep()).promoted == 0
    assert await leases.claim("w1", 1) == []


async def test_a_job_that_cannot_be_put_together_has_failed(store: Store, leases: Leases) -> None:
    """The assembly task fails as pages do; the job says what happened."""
    job, _ = await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    await leases.record([result_of(lease)])
    (whole,) = await leases.claim("w1", 1)
    assert await leases.fail(whole, "server_error", "No room.", permanent=True) is PageState.FAILED
    ended = await store.job("anna", job.id)
    assert (ended.state, ended.error) == (JobState.FAILED, "No room.")


async def test_a_job_waits_for_its_time(store: Store, leases: Leases, database: Database) -> None:
    """Until `not_before` nothing of it is due; a sweep after that begins it."""
    async with database.read() as connection:
        now = (await connection.execute(database.now.select())).scalar_one()
    later, _ = await store.create(sample_job(1, not_before=now + 3600))
    past, _ = await store.create(sample_job(2, not_before=now - 1))
    soon, _ = await store.create(sample_job(3, pages=2, not_before=now + 0.3))
    assert [job.state for job in (later, past, soon)] == ["scheduled", "queued", "scheduled"]
    assert [lease.job_id for lease in await leases.claim("w1", 9)] == [past.id]
    started = 0
    while not started:
        started += (await leases.sweep()).started
    assert (await store.job("anna", soon.id)).state is JobState.QUEUED
    assert [(lease.job_id, lease.number) for lease in await leases.claim("w1", 9)] == [
        (soon.id, 1),
        (soon.id, 2),
    ]
    assert (await leases.sweep()).started == 0


async def test_the_password_is_forgotten_at_the_end(store: Store, leases: Leases) -> None:
    """Workers have it as long as they may need it."""
    job, _ = await store.create(sample_job(password="geheim"))
    (lease,) = await leases.claim("w1", 1)
    await leases.record([result_of(lease)])
    assert (await store.spec(job.id)).password == "geheim"
    (whole,) = await leases.claim("w1", 1)
    await leases.finish(whole, JobState.DONE)
    assert (await store.spec(job.id)).password == ""


async def test_only_the_assembly_task_ends_a_job(store: Store, leases: Leases) -> None:
    """A page is recorded, never finished; the assembly task is finished, never recorded."""
    await store.create(sample_job())
    (lease,) = await leases.claim("w1", 1)
    with pytest.raises(ValueError, match="assembly"):
        await leases.finish(lease, JobState.DONE)
    await leases.record([result_of(lease)])
    (whole,) = await leases.claim("w1", 1)
    with pytest.raises(ValueError, match="finish"):
        await leases.record([result_of(whole)])
    with pytest.raises(ValueError, match="end"):
        await leases.finish(whole, JobState.RUNNING)


async def test_how_much_is_going_on(store: Store, leases: Leases) -> None:
    """Jobs that run, jobs that wait, pages due, and how many go before a job's own."""
    first, _ = await store.create(sample_job(1, pages=5))
    second, _ = await store.create(sample_job(2, pages=5))
    await store.create(sample_job(3, not_before=1e11))
    assert await store.counts() == Counts(active_jobs=0, queued_jobs=3, due_pages=10)
    await leases.claim("w1", 3)
    assert await store.counts() == Counts(active_jobs=2, queued_jobs=1, due_pages=7)
    assert await store.queue_ahead(first) <= 2
    assert await store.queue_ahead(second) <= 2
