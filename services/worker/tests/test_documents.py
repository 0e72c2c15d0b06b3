"""Kinds of documents: PDFs with text and with a password, TIFFs, pictures; and each fetched once."""

from pecia_core.testing import sample_receipt
from pecia_dispatch.testing import ScriptedOcr
from pecia_jobs.model import JobState
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import Owner, working


async def test_a_picture_goes_as_it_is(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """The ocr service gets the bytes that were sent."""
    picture, _ = sample_receipt()
    job = await owner.submit(picture, 1, "image/png")
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    assert [seen.picture for seen in ocr.seen] == [picture]
