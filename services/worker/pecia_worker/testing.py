"""For tests of jobs: somebody who submits documents, documents, and workers beside the test."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

from pecia_core.kinds import PDF
from pecia_jobs.blobs import Blobs, input_key, result_key
from pecia_jobs.model import Job, JobOptions, NewJob
from pecia_jobs.store import Store
from PIL import Image, ImageDraw
from pydantic import SecretStr

from pecia_worker.main import Worker, World
from pecia_worker.settings import Settings

TENANT = "anna"
PATIENCE_S = 60.0
_TAKES_PAGES = "the worker takes pages"


@dataclass(slots=True)
class Owner:
    """Submits documents straight into the stores, and looks at what becomes of them."""

    store: Store
    blobs: Blobs
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def submit(self, data: bytes, pages: int, media_type: str = PDF, **other: Any) -> Job:  # noqa: ANN401 - fields of NewJob
        """A job of the document's first `pages`; `other` are fields of NewJob."""
        job_id = f"secret.pdf_20260101_000000_{next(self.numbers):08x}"
        tenant = other.get("tenant", TENANT)
        key = input_key(tenant, job_id, media_type)
        await self.blobs.put(key, data)
        values: dict[str, Any] = {
            "tenant": tenant,
            "filename": "secret.pdf",
            "page_numbers": tuple(range(1, pages + 1)),
            "document_pages": pages,
            "options": JobOptions(text_layer=False, dpi=72),
            "input_sha256": sha256(data).hexdigest(),
            "input_bytes": len(data),
        }
        new = NewJob(id=job_id, media_type=media_type, input_key=key, **(values | other))
        return (await self.store.create(new))[0]

    async def ended(self, job: Job) -> Job:
        """The job when it has ended."""
        return await self.until(job, lambda seen: seen.state.terminal)

    async def until(self, job: Job, condition: Callable[[Job], bool]) -> Job:
        """The job when something is true of it."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition(seen := await self.store.job(job.tenant, job.id)):  # noqa: ASYNC110 - others change it
                await asyncio.sleep(0.02)
        return seen

    async def result(self, job: Job, name: str) -> str:
        """One of the files of an ended job."""
        return (await self.blobs.get(result_key(job.tenant, job.id, name))).decode()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to happen."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - others make it happen
            await asyncio.sleep(0.02)


@asynccontextmanager
async def working(settings: Settings, world: World) -> AsyncIterator[Worker]:
    """A worker beside the test; at the end it is told to stop."""
    worker = Worker(settings, world)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait_for(task, PATIENCE_S)


@asynccontextmanager
async def worker_process(settings: Settings, log: Path) -> AsyncIterator[Process]:
    """`python -m pecia_worker`, which dies with this process; killed at the end if it still runs.

    Its log goes to a file; it says so there when it takes pages.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pecia_standalone.leash", str(os.getpid()), "pecia_worker"),
            env=environment(settings),
            stdout=output,
            stderr=output,
        )
    try:
        await until(lambda: process.returncode is not None or _TAKES_PAGES in _read(log))
        if process.returncode is not None:
            raise AssertionError(f"the worker does not start: {_read(log)[-2000:]}")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _read(log: Path) -> str:
    return log.read_text()


def environment(settings: Settings) -> dict[str, str]:
    """The settings that were given, as a process gets them, secrets too."""
    groups = settings.model_dump(exclude_unset=True)
    return {
        f"PECIA_{group}__{name}".upper(): _written(value)
        for group, values in groups.items()
        for name, value in values.items()
    }


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def scanned(pages: int, kind: str = "PDF") -> bytes:
    """A document of pages that are pictures: 160 pixels wide, and 100 and their number high."""
    first, *others = [_sheet(number) for number in range(1, pages + 1)]
    buffer = BytesIO()
    first.save(buffer, kind, save_all=True, append_images=others)
    return buffer.getvalue()


def _sheet(number: int) -> Image.Image:
    sheet = Image.new("RGB", (160, 100 + number), "white")
    ImageDraw.Draw(sheet).text((10, 40), f"page {number}", "black")
    return sheet
