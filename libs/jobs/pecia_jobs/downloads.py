"""A job's documents on their way to their owner: ten thousand pages take no more memory than ten."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pecia_core.errors import NotFound

from pecia_jobs.blobs import Blobs, result_key
from pecia_jobs.model import Job, JobPage, PageState
from pecia_jobs.results import writer
from pecia_jobs.store import Store

# Results fetched ahead of the one being written.
_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Download:
    """A document in pieces. `size` in bytes; None = it is put together on the way."""

    pieces: AsyncGenerator[bytes, None]
    size: int | None = None


class Downloads:
    """Documents as they were put together at the end of a job, or as they are so far."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        """Ask both."""
        self._store = store
        self._blobs = blobs

    async def whole(self, job: Job, name: str) -> Download:
        """The document of a completed job; `name` as `pecia_jobs.blobs` has it.

        It is put together anew where its blob was lost, so long as the pages are there.
        """
        key = result_key(job.tenant, job.id, name)
        try:
            size = await self._blobs.size(key)
        except NotFound:
            return await self.partial(job, name)
        return Download(_from_start(self._blobs.stream(key)), size)

    async def partial(self, job: Job, name: str) -> Download:
        """The document as far as it is; pages that are missing are named in it."""
        pages = await self._store.pages(job.tenant, job.id)
        return Download(self._composed(job, pages, name))

    async def _composed(self, job: Job, pages: list[JobPage], name: str) -> AsyncGenerator[bytes, None]:
        document = writer(name)
        yield "".join(document.begin(job, pages)).encode("utf-8", "replace")
        async with aclosing(self._results(pages)) as results:
            async for page, result in results:
                yield "".join(document.page(page, result)).encode("utf-8", "replace")
        yield "".join(document.end()).encode("utf-8", "replace")

    async def _results(
        self, pages: Sequence[JobPage]
    ) -> AsyncGenerator[tuple[JobPage, dict[str, Any] | None], None]:
        """In order, the next few fetched meanwhile."""
        coming: deque[tuple[JobPage, asyncio.Task[dict[str, Any] | None]]] = deque()
        try:
            for page in pages:
                coming.append((page, asyncio.create_task(self.result(page))))
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

    async def result(self, page: JobPage) -> dict[str, Any] | None:
        """What was read on a page; None = nothing yet, or its blob is gone."""
        if page.state is not PageState.DONE:
            return None
        try:
            found: dict[str, Any] = json.loads(await self._blobs.get(page.result_key))
        except NotFound:
            return None
        return found


async def _from_start(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        yield piece
