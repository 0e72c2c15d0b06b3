"""Documents the whole way: from a row and a blob to a result, through real services."""

import json

from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_jobs.model import JobState
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import Owner, scanned, working


async def test_twelve_pages(settings: Settings, world: World, owner: Owner, ocr: ScriptedOcr) -> None:
    """Each page is read once, and stands in its place in every document."""
    ocr.play = lambda _picture, asked: Script((f"text of {asked.page_index + 1}",))
    job = await owner.submit(scanned(12), 12)
    async with working(settings, world):
        job = await owner.ended(job)
    assert (job.state, job.pages_done, job.pages_failed) == (JobState.DONE, 12, 0)
    assert sorted(seen.options.page_index for seen in ocr.seen) == list(range(12))
    expected = [f"text of {number}" for number in range(1, 13)]
    text = await owner.result(job, "result.txt")
    assert [line for line in text.splitlines() if line.startswith("text")] == expected
    markdown = await owner.result(job, "result.md")
    assert [line for line in markdown.splitlines() if line.startswith("text")] == expected
    pages = json.loads(await owner.result(job, "result.json"))["pages"]
    assert [(page["number"], page["text"]) for page in pages] == list(enumerate(expected, start=1))
