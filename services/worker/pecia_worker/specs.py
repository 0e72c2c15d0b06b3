"""What was asked, read once for all pages of a job."""

import time
from collections import OrderedDict

from pecia_jobs.model import Lease
from pecia_jobs.store import JobSpec, Store

from pecia_worker.patience import Patience

# Jobs of which pages are read at once, and seconds: passwords are among it, so it is soon forgotten.
_MOST = 64
_KEPT_S = 60.0


class Specs:
    """Asks the database, or remembers. What was asked never changes while a job runs."""

    def __init__(self, store: Store, patience: Patience) -> None:
        """Nothing is known yet."""
        self._store = store
        self._patience = patience
        self._known: OrderedDict[str, tuple[float, JobSpec]] = OrderedDict()

    async def of(self, lease: Lease) -> JobSpec:
        """What was asked of the job this page belongs to.

        Raises:
            NotFound: the job was deleted.
            Draining: the database is away and the worker stops.
        """
        asked_at, spec = self._known.get(lease.job_id, (0.0, None))
        if spec is None or time.monotonic() - asked_at > _KEPT_S:
            spec = await self._patience.through("database", lambda: self._store.spec(lease.job_id))
            self._known[lease.job_id] = (time.monotonic(), spec)
        self._known.move_to_end(lease.job_id)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return spec
