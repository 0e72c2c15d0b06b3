"""Page 0: all results of a job, in order, become its documents, and the job comes to its end.

Pages are read a few at a time and written to files as they come: ten thousand take no more memory than ten.
"""

import asyncio
import json
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from pecia_core.errors import NotFound, Unavailable
from pecia_jobs import exports
from pecia_jobs.blobs import METADATA, RESULT_METADATA, Blobs, result_key
from pecia_jobs.model import ASSEMBLY, Job, JobPage, JobState, Lease, PageState
from pecia_jobs.results import Document, documents, missing
from pecia_jobs.store import Store

from pecia_worker.patience import Patience

# Results fetched ahead: a store on the network answers in tens of milliseconds.
_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended. `stored` = bytes of the documents written; `error` for the owner, where it failed."""

    state: JobState
    stored: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Assembler:
    """Puts jobs together. `folder` = for the files meanwhile; None = the system's for temporary ones."""

    store: Store
    blobs: Blobs
    patience: Patience
    folder: Path | None = None

    async def assemble(self, lease: Lease) -> Ending:
        """Write the documents; another worker that does the same writes the same.

        Raises:
            PeciaError: the job is gone.
            Draining: somebody is away and the worker stops.
        """
        job = await self.patience.through("database", lambda: self.store.job(lease.tenant, lease.job_id))
        listed = await self.patience.through("database", lambda: self.store.pages(lease.tenant, lease.job_id))
        pages = [page for page in listed if page.number != ASSEMBLY]
        return await self.patience.through("disk", lambda: self._written(job, pages))

    async def _written(self, job: Job, pages: list[JobPage]) -> Ending:
        try:
            with tempfile.TemporaryDirectory(dir=self.folder, prefix="pecia-") as name:
                folder = Path(name)
                lost = await self._write(folder, job, pages)
                ending = _ending(pages, lost)
                _export(folder, job, pages, ending.state)
                return replace(ending, stored=await self._store(folder, job))
        except OSError as error:
            raise Unavailable(
                "This machine's disk for temporary files cannot take the results: make room there.",
                code="store_unavailable",
            ) from error

    async def _write(self, folder: Path, job: Job, pages: list[JobPage]) -> int:
        """All documents at once; gives how many results that should be there are not."""
        lost = 0
        with ExitStack() as files:
            outs = [
                _Out(one, files.enter_context((folder / name).open("w", encoding="utf-8", errors="replace")))
                for name, one in documents().items()
            ]
            for out in outs:
                out.file.writelines(out.document.begin(job, pages))
            async with aclosing(self._results(pages)) as results:
                async for page, result in results:
                    lost += page.state is PageState.DONE and result is None
                    await asyncio.to_thread(_add, outs, page, result)
            for out in outs:
                out.file.writelines(out.document.end())
        return lost

    async def _results(self, pages: list[JobPage]) -> AsyncGenerator[tuple[JobPage, bytes | None], None]:
        """In order, the next few fetched meanwhile."""
        coming: deque[tuple[JobPage, asyncio.Task[bytes | None]]] = deque()
        try:
            for page in pages:
                coming.append((page, asyncio.create_task(self._result(page))))
                if len(coming) > _AHEAD:
                    first, fetching = coming.popleft()
                    yield first, await fetching
            while coming:
                first, fetching = coming.popleft()
                yield first, await fetching
        finally:
            left = [fetching for _, fetching in coming]
            for fetching in left:
                fetching.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _result(self, page: JobPage) -> bytes | None:
        if page.state is not PageState.DONE:
            return None
        try:
            return await self.patience.through("blobs", lambda: self.blobs.get(page.result_key))
        except NotFound:
            return None

    async def _store(self, folder: Path, job: Job) -> int:
        stored = 0
        for name in (*documents(), METADATA, RESULT_METADATA):
            key = result_key(job.tenant, job.id, name)
            await self.patience.through("blobs", partial(self.blobs.put_file, key, folder / name))
            stored += (folder / name).stat().st_size
        return stored


@dataclass(frozen=True, slots=True)
class _Out:
    document: Document
    file: TextIO


def _add(outs: list[_Out], page: JobPage, blob: bytes | None) -> None:
    result = None if blob is None else json.loads(blob)
    for out in outs:
        out.file.writelines(out.document.page(page, result))


def _export(folder: Path, job: Job, pages: list[JobPage], state: JobState) -> None:
    now = time.time()
    files = {
        METADATA: exports.metadata(job, pages, state, now),
        RESULT_METADATA: exports.result_metadata(job, pages, now),
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=2), "utf-8", "replace")


def _ending(pages: list[JobPage], lost: int) -> Ending:
    """Failed only when no page succeeded; whatever is missing makes it partial, never silently short."""
    done = sum(page.state is PageState.DONE for page in pages) - lost
    if done == len(pages):
        return Ending(JobState.DONE)
    if done:
        return Ending(JobState.PARTIAL)
    first = next((missing(page) for page in pages), "There were no pages.")
    return Ending(JobState.FAILED, error=f"No page could be read. {first}")
