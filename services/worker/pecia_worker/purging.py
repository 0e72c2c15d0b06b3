"""Makes room: old jobs go, rows first, and then blobs, those that nobody needs any more among them."""

import logging
import time
from collections.abc import AsyncIterator

from pecia_core.errors import NotFound
from pecia_jobs.blobs import Blobs
from pecia_jobs.ids import is_job_id
from pecia_jobs.model import PageState
from pecia_jobs.retention import Retention
from pecia_jobs.store import Store

from pecia_worker.metrics import Metrics

_log = logging.getLogger(__name__)
_PAGES = "pages"
_INPUT = "input."


class Purge:
    """Deletes what is over the limits, and what no row names. Any number of workers may."""

    def __init__(
        self, retention: Retention, store: Store, blobs: Blobs, metrics: Metrics, orphan_age_s: float
    ) -> None:
        """Nothing is deleted yet.

        Args:
            retention: knows which jobs go.
            store: knows which jobs there are.
            blobs: where their documents lie.
            metrics: count what went.
            orphan_age_s: seconds that nothing in a job's folder may have changed before it is searched.
        """
        self._retention = retention
        self._store = store
        self._blobs = blobs
        self._metrics = metrics
        self._orphan_age_s = orphan_age_s

    async def make_room(self) -> None:
        """Once: forget jobs over the limits, and delete the blobs of all that are forgotten."""
        for prefix in await self._retention.purge():
            async for blob in self._blobs.list(prefix):
                self._metrics.purged_bytes.inc(blob.size)
            await self._blobs.delete(prefix)
            await self._retention.emptied(prefix)
            self._metrics.purged.inc()

    async def find_orphans(self) -> None:
        """Once over the whole store: results of those who had lost their lease, and inputs without a job.

        A folder without a job is deleted only if it holds nothing but an input: results are never taken for
        rubbish because somebody has set up the wrong database.
        """
        async for prefix in self._resting():
            keys = [blob.key async for blob in self._blobs.list(prefix)]
            orphans = await self._orphans(prefix, keys)
            if orphans:
                await self._blobs.remove(orphans)
                self._metrics.orphans.inc(len(orphans))
                _log.info("blobs that no job names were deleted", extra={"blobs": len(orphans)})

    async def _orphans(self, prefix: str, keys: list[str]) -> list[str]:
        job_id = prefix.rpartition("/")[2]
        try:
            tenant = (await self._store.spec(job_id)).tenant
            pages = await self._store.pages(tenant, job_id)
            job = await self._store.job(tenant, job_id)
        except NotFound:
            forsaken = all(key.removeprefix(f"{prefix}/").startswith(_INPUT) for key in keys)
            return keys if forsaken else []
        named = {page.result_key for page in pages if page.state is PageState.DONE}
        results = [key for key in keys if key.startswith(f"{prefix}/{_PAGES}/")]
        return [key for key in results if key not in named] if job.state.terminal else []

    async def _resting(self) -> AsyncIterator[str]:
        """Folders of jobs in which nothing has changed for long enough."""
        newest: dict[str, float] = {}
        async for blob in self._blobs.list():
            tenant, _, rest = blob.key.partition("/")
            job_id = rest.partition("/")[0]
            if is_job_id(job_id):
                prefix = f"{tenant}/{job_id}"
                newest[prefix] = max(newest.get(prefix, 0.0), blob.modified)
        before = time.time() - self._orphan_age_s
        for prefix, modified in newest.items():
            if modified < before:
                yield prefix
