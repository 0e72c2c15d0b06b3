"""Jobs put together: long ones in little memory, and again after a death in the middle."""

import json
import tracemalloc
from pathlib import Path

import pytest
from pecia_core.document import Page
from pecia_core.recognition import Recognition
from pecia_core.vocabulary import TaskType
from pecia_jobs.blobs import Blobs, page_key
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import ASSEMBLY, Job, JobState, Lease, PageResult, PageSource
from pecia_jobs.results import encoded, page_result
from pecia_jobs.store import Store
from pecia_worker.assembly import Assembler
from pecia_worker.metrics import Metrics
from pecia_worker.patience import Patience
from pecia_worker.settings import Settings
from pecia_worker.testing import TENANT, Owner, scanned
from prometheus_client import CollectorRegistry

PAGES = 10_000
TEXT = "Rapat tahunan koperasi dibuka pada hari Senin pagi. " * 40  # 2 kB: 20 MB in all


class OneResult(Blobs):
    """Every page's result is there, without ten thousand files."""

    async def get(self, key: str) -> bytes:
        """Made when it is asked for."""
        number = int(key.rpartition("/")[2].partition(".")[0])
        read = Recognition(Page(10, 10), f"{number}: {TEXT}", "rapid")
        return encoded(page_result(Lease("", "", number, "", 1), TaskType.FREE_OCR, PageSource.OCR, read))


async def finalizing(database: Database, owner: Owner, pages: int) -> tuple[Job, Lease]:
    """A job whose pages are all recorded, and the lease of its page 0."""
    leases = Leases(database, lease_s=600)
    job = await owner.submit(scanned(1), pages)
    while claimed := await leases.claim("me", 500):
        if claimed[0].number == ASSEMBLY:
            return job, claimed[0]
        await leases.record(
            [
                PageResult(
                    lease,
                    page_key(TENANT, job.id, lease.number, lease.token),
                    "0" * 64,
                    100,
                    PageSource.OCR,
                    "rapid",
                )
                for lease in claimed
            ]
        )
    raise AssertionError("there was no page 0")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it is about memory, not about SQL
async def test_ten_thousand_pages_take_little_memory(
    database: Database, owner: Owner, settings: Settings, tmp_path: Path
) -> None:
    """Their text is 20 MB and their JSON more; what is held at once stays far below."""
    blobs = OneResult(settings.blobs, tmp_path / "blobs")
    job, lease = await finalizing(database, owner, PAGES)
    assembler = Assembler(Store(database), blobs, Patience(Metrics(CollectorRegistry()), 10))
    pages = len(await owner.store.pages(TENANT, job.id))  # their rows are held: they count here, too
    tracemalloc.start()
    ending = await assembler.assemble(lease)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (pages, ending.state) == (PAGES, JobState.DONE)
    assert ending.stored > 2 * PAGES * len(TEXT)
    assert peak < 24 << 20
    text = await owner.result(job, "result.txt")
    assert text.count("Rapat tahunan") == PAGES * 40
    assert f"{PAGES}: Rapat" in text
    assert json.loads(await owner.result(job, "metadata.json"))["total_pages"] == PAGES
