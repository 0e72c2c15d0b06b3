"""What fails: pages, the ocr service, the blob store; and what becomes of the job."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from pecia_core.errors import EngineFailed, InvalidDocument, Overloaded, TooLarge, Unavailable
from pecia_core.recognition import RecognizeOptions
from pecia_dispatch import OcrClient
from pecia_dispatch.settings import OcrSettings
from pecia_dispatch.testing import Script, ScriptedOcr, serving
from pecia_jobs.blobs import Blobs
from pecia_jobs.database import Database
from pecia_jobs.model import JobOptions, JobState, PageState
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import TENANT, Owner, scanned, working


async def test_a_page_at_fault_is_named(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """It is tried once, keeps its code, stands by name in every document, and the job is partial."""
    broken = InvalidDocument("The picture is cut off. Send it whole.")

    def play(_picture: bytes, asked: RecognizeOptions) -> Script:
        return Script(error=broken if asked.page_index == 4 else None)

    ocr.play = play
    job = await owner.submit(scanned(6), 6)
    async with working(settings, world):
        job = await owner.ended(job)
    assert (job.state, job.pages_done, job.pages_failed) == (JobState.PARTIAL, 5, 1)
    assert len([seen for seen in ocr.seen if seen.options.page_index == 4]) == 1
    (page,) = await owner.store.pages(TENANT, job.id, numbers=[5])
    assert (page.state, page.error_code, page.attempts) == (PageState.FAILED, "invalid_image", 1)
    for name in ("result.md", "result.txt"):
        assert "Page 5 could not be read: The picture is cut off." in await owner.result(job, name)
    structured = json.loads(await owner.result(job, "result.json"))
    assert structured["failed_pages"] == [5]
    assert structured["pages"][4]["error"]["code"] == "invalid_image"
    assert json.loads(await owner.result(job, "metadata.json"))["failed_pages"][0]["number"] == 5


async def test_a_job_without_any_page_failed(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Nothing to show is a failure, and says why."""
    ocr.play = lambda _picture, _asked: Script(error=TooLarge("The picture has too many bytes."))
    job = await owner.submit(scanned(2), 2)
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.FAILED
    assert "too many bytes" in job.error
    assert "Page 2 could not be read" in await owner.result(job, "result.md")


async def test_bad_luck_is_tried_again(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """An engine that breaks once costs an attempt, after a pause, and no page."""
    broken = [Script(error=EngineFailed("The engine broke on this page.")), Script()]
    ocr.play = lambda _picture, _asked: broken.pop(0)
    job = await owner.submit(scanned(1), 1)
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    (page,) = await owner.store.pages(TENANT, job.id)
    assert page.attempts == 2
    result = json.loads(await owner.blobs.get(page.result_key))
    assert result["attempts"] == 2


async def test_a_full_service_is_waited_for(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """A page that is turned away ten times has spent no attempt."""
    refusals = 10

    def play(_picture: bytes, _asked: RecognizeOptions) -> Script:
        nonlocal refusals
        refusals -= 1
        return Script(error=Overloaded("No more can wait.", retry_after=0.05) if refusals >= 0 else None)

    ocr.play = play
    job = await owner.submit(scanned(3), 3)
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    assert {page.attempts for page in await owner.store.pages(TENANT, job.id)} == {1}


async def test_an_ocr_service_that_is_away_is_waited_for(
    settings: Settings, database: Database, blobs: Blobs, owner: Owner
) -> None:
    """Down for three seconds in the middle of a job: the job goes on by itself, no attempt is spent."""
    service = ScriptedOcr(play=lambda _picture, _asked: Script(pause_s=0.1))
    job = await owner.submit(scanned(12), 12)
    async with serving(service) as target:
        client = OcrClient(OcrSettings(target=target, resolve_interval_s=0.2))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(client.close)
            await stack.enter_async_context(working(settings, World(database, blobs, client)))
            await owner.until(job, lambda seen: seen.pages_done > 2)
            later = stack.pop_all()
    async with later:
        await asyncio.sleep(3)
        before = await owner.store.job(TENANT, job.id)
        async with serving(service, int(target.rpartition(":")[2])):
            job = await owner.ended(job)
    assert before.state is JobState.RUNNING
    assert job.state is JobState.DONE
    assert {page.attempts for page in await owner.store.pages(TENANT, job.id)} == {1}


async def test_a_blob_store_that_is_away_is_waited_for(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr, tmp_path: Path
) -> None:
    """The folder is gone for two seconds in the middle of a job, as a disk that is not mounted."""
    ocr.play = lambda _picture, _asked: Script(pause_s=0.05)
    job = await owner.submit(scanned(12), 12)
    async with working(settings, world):
        await owner.until(job, lambda seen: seen.pages_done > 2)
        (tmp_path / "blobs").rename(tmp_path / "elsewhere")
        await asyncio.sleep(2)
        (tmp_path / "elsewhere").rename(tmp_path / "blobs")
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    assert {page.attempts for page in await owner.store.pages(TENANT, job.id)} == {1}


async def test_a_result_that_is_lost_is_named(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr, tmp_path: Path
) -> None:
    """A blob somebody deleted makes the document partial; it is never silently short."""

    def play(_picture: bytes, asked: RecognizeOptions) -> Script:
        if asked.page_index == 2:  # the last one: the others are stored
            (first,) = tmp_path.glob("blobs/*/*/pages/00001.*")
            first.unlink()
        return Script()

    ocr.play = play
    job = await owner.submit(scanned(3), 3)
    one_by_one = settings.model_copy(
        update={"worker": settings.worker.model_copy(update={"max_concurrency": 1})}
    )
    async with working(one_by_one, world):
        job = await owner.ended(job)
    assert job.state is JobState.PARTIAL
    assert "Page 1 is missing" in await owner.result(job, "result.txt")


async def test_a_model_that_is_loaded_holds_up_nobody_else(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Its pages make way for those of other models, spend no attempt, and are read when it is there."""
    loading = True

    def play(_picture: bytes, asked: RecognizeOptions) -> Script:
        waits = loading and asked.model == "deepseek-ocr"
        return Script(error=Unavailable("It is being loaded.", code="model_loading") if waits else None)

    ocr.play = play
    narrow = settings.worker.model_copy(update={"max_concurrency": 2, "loading_s": 0.2})
    big = await owner.submit(
        scanned(6), 6, options=JobOptions(recognize=RecognizeOptions(model="deepseek-ocr"))
    )
    async with working(settings.model_copy(update={"worker": narrow}), world) as worker:
        await owner.until(big, lambda job: job.state is JobState.RUNNING)
        small = await owner.ended(await owner.submit(scanned(2), 2))
        assert small.state is JobState.DONE
        assert (await owner.store.job(TENANT, big.id)).pages_done == 0
        loading = False
        big = await owner.ended(big)
        sample = worker.metrics.registry.get_sample_value
        assert (sample("pecia_job_pages_total", {"outcome": "put_off", "source": ""}) or 0) >= 2
    assert (big.state, big.pages_done) == (JobState.DONE, 6)
    pages = await owner.store.pages(TENANT, big.id)
    assert {page.attempts for page in pages} == {1}
    assert not any(page.error for page in pages)
