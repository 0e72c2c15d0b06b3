"""Kinds of documents: PDFs with text and with a password, TIFFs, pictures; and each is fetched once."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from pecia_core.errors import InvalidDocument, NotFound
from pecia_core.kinds import TIFF
from pecia_core.locked_pdf import locked
from pecia_core.pdf import PdfRenderer
from pecia_core.recognition import RecognizeOptions
from pecia_core.sample_pdf import PROSE, digital_pdf, long_pdf, prose
from pecia_core.testing import sample_receipt
from pecia_core.vocabulary import TaskType
from pecia_dispatch.testing import ScriptedOcr
from pecia_jobs.blobs import Blobs
from pecia_jobs.inputs import Inputs
from pecia_jobs.model import JobOptions, JobState, PageSource
from pecia_jobs.settings import BlobSettings
from pecia_worker.main import World
from pecia_worker.metrics import Metrics
from pecia_worker.patience import Patience
from pecia_worker.settings import Settings
from pecia_worker.testing import TENANT, Owner, scanned, working
from PIL import Image
from prometheus_client import CollectorRegistry

LOCKED = locked(digital_pdf(prose()), "geheim")
# Three pages of text that can be trusted, and an empty one.
DIGITAL = long_pdf([prose()] * 3 + [b""])
WITH_TEXT = JobOptions(dpi=72)


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


async def test_a_mixed_tiff_goes_page_by_page(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Black and white, grey and colour, each its own way of packing: each page is a file of its own."""
    modes = {"1": "group4", "L": "tiff_lzw", "RGB": "jpeg"}
    sheets = [Image.new(mode, (100 + number, 60)) for number, mode in enumerate(modes)]
    parts = []
    for sheet, packing in zip(sheets, modes.values(), strict=True):
        buffer = BytesIO()
        sheet.save(buffer, "TIFF", compression=packing)
        parts.append(Image.open(buffer))
    whole = BytesIO()
    parts[0].save(whole, "TIFF", save_all=True, append_images=parts[1:])
    job = await owner.submit(whole.getvalue(), 3, TIFF)
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    sizes = {seen.options.page_index: Image.open(BytesIO(seen.picture)).size for seen in ocr.seen}
    assert sizes == {0: (100, 60), 1: (101, 60), 2: (102, 60)}


async def test_text_that_can_be_trusted_is_used(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Pages say where their text is from; only the one without goes to the ocr service."""
    job = await owner.submit(DIGITAL, 4, options=WITH_TEXT)
    async with working(settings, world):
        job = await owner.ended(job)
    assert job.state is JobState.DONE
    assert [seen.options.page_index for seen in ocr.seen] == [3]
    pages = await owner.store.pages(TENANT, job.id)
    assert [page.source for page in pages] == [PageSource.TEXT] * 3 + [PageSource.OCR]
    result = json.loads(await owner.blobs.get(pages[0].result_key))
    assert result["text"].split("\n") == list(PROSE)
    assert (result["source"], result["engine"], result["confidence"]) == ("text", "", None)
    assert json.loads(await owner.result(job, "metadata.json"))["text_pages"] == 3


@pytest.mark.parametrize(
    "options",
    [
        replace(WITH_TEXT, text_layer=False),
        replace(WITH_TEXT, recognize=RecognizeOptions(task_type=TaskType.DESCRIBE)),
    ],
    ids=["switched off", "another task"],
)
async def test_text_that_was_not_asked_for_is_not_used(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr, options: JobOptions
) -> None:
    """It can be switched off, and it does not answer what a page looks like."""
    job = await owner.submit(DIGITAL, 2, options=options)
    async with working(settings, world):
        job = await owner.ended(job)
    assert len(ocr.seen) == 2


async def test_a_password_opens_an_encrypted_pdf(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """With it the pages are read; without it the job fails with a code that says so."""
    opened = await owner.submit(LOCKED, 1, password="geheim")
    closed = await owner.submit(LOCKED, 1)
    async with working(settings, world):
        opened, closed = await owner.ended(opened), await owner.ended(closed)
    assert (opened.state, closed.state) == (JobState.DONE, JobState.FAILED)
    (page,) = await owner.store.pages(TENANT, closed.id)
    assert page.error_code == "pdf_encrypted"


async def test_only_the_pages_asked_for_are_read(
    settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr
) -> None:
    """Pages 2 and 5 of six: their own pictures, their own numbers."""
    job = await owner.submit(scanned(6), 6, page_numbers=(2, 5))
    async with working(settings, world):
        job = await owner.ended(job)
    assert (job.state, job.pages_done) == (JobState.DONE, 2)
    heights = {seen.options.page_index: Image.open(BytesIO(seen.picture)).height for seen in ocr.seen}
    assert heights == {1: 102, 4: 105}


class CountingBlobs(Blobs):
    """Counts what is fetched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(BlobSettings(url=str(folder)), folder)
        self.fetched: Counter[str] = Counter()

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Slowly."""
        self.fetched[key] += 1
        await asyncio.sleep(0.05)
        async for piece in super().stream(key):
            yield piece


async def test_a_document_is_fetched_once(world: World, owner: Owner, tmp_path: Path) -> None:
    """Readers at the same time share one fetching; afterwards it stays while there is room."""
    blobs = CountingBlobs(tmp_path / "blobs")
    first, second = [await owner.submit(scanned(2), 2) for _ in range(2)]
    specs = [await owner.store.spec(job.id) for job in (first, second)]
    async with PdfRenderer() as renderer:
        patience = partial(Patience(Metrics(CollectorRegistry()), 10).through, "blobs")
        documents = Inputs(blobs, renderer, patience, most_bytes=first.input_bytes + 1)

        async def draw(place: int, number: int) -> None:
            async with documents.open(specs[place]) as pages:
                await pages.picture(number, 72)

        await asyncio.gather(draw(0, 1), draw(0, 2), draw(0, 1))
        await draw(0, 2)
        assert blobs.fetched[first.input_key] == 1
        await draw(1, 1)  # there is room for one only
        await draw(0, 1)
        assert blobs.fetched[first.input_key] == 2
        await documents.close()


async def test_a_document_nobody_reads_is_let_go(world: World, owner: Owner, tmp_path: Path) -> None:
    """Not the one that is being read; its job may have been deleted, and then nothing else would end it."""
    blobs = CountingBlobs(tmp_path / "blobs")
    specs = [await owner.store.spec((await owner.submit(scanned(1), 1)).id) for _ in range(2)]
    async with PdfRenderer() as renderer:
        documents = Inputs(blobs, renderer, most_bytes=1 << 20)
        tidying = asyncio.create_task(documents.forget_idle(0.2))
        async with documents.open(specs[0]), asyncio.timeout(30):
            async with documents.open(specs[1]):
                pass
            while len(documents._kept) > 1:
                await asyncio.sleep(0.02)
            assert list(documents._kept) == [(specs[0].input_key, False)]
        tidying.cancel()
        await documents.close()


async def test_one_reader_that_leaves_does_not_take_the_document_along(
    world: World, owner: Owner, tmp_path: Path
) -> None:
    """A cancelled page leaves the fetching to the others; the last one ends it."""
    blobs = CountingBlobs(tmp_path / "blobs")
    job = await owner.submit(scanned(2), 2)
    spec = await owner.store.spec(job.id)
    async with PdfRenderer() as renderer:
        documents = Inputs(blobs, renderer, most_bytes=1)

        async def draw() -> bytes:
            async with documents.open(spec) as pages:
                return await pages.picture(1, 72)

        leaver, stayer = asyncio.create_task(draw()), asyncio.create_task(draw())
        await asyncio.sleep(0.01)
        leaver.cancel()
        assert (await stayer).startswith(b"\xff\xd8")
        assert blobs.fetched[job.input_key] == 1
        assert documents._kept == {}
        await documents.close()


async def test_a_document_that_is_gone_is_the_pages_fault(world: World, owner: Owner, blobs: Blobs) -> None:
    """NotFound, at once; and what cannot be opened is not kept."""
    job = await owner.submit(b"no PDF", 1)
    spec = await owner.store.spec(job.id)
    async with PdfRenderer() as renderer:
        documents = Inputs(blobs, renderer, most_bytes=1 << 20)
        with pytest.raises(InvalidDocument):
            async with documents.open(spec):
                pass
        await blobs.delete(job.input_key.rpartition("/")[0])
        with pytest.raises(NotFound):
            async with documents.open(spec):
                pass
        assert documents._kept == {}
