"""Has the ocr service read a page's picture."""

from dataclasses import dataclass, replace

from pecia_core.recognition import Recognition
from pecia_core.vocabulary import Priority
from pecia_dispatch import Call, OcrClient
from pecia_jobs.model import Lease
from pecia_jobs.store import JobSpec

from pecia_worker.patience import Patience


def call_name(lease: Lease) -> str:
    """The page in the logs of all services: the job's name without the file's, and the page's number."""
    return f"{lease.job_id.partition('_')[2]}:{lease.number}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Calls the ocr service. `timeout_s` = seconds one page may take there, waiting included."""

    client: OcrClient
    patience: Patience
    timeout_s: float

    async def read(self, picture: bytes, spec: JobSpec, lease: Lease) -> Recognition:
        """The page, read. Cancelling stops the work there.

        Raises:
            PeciaError: the page is at fault, or was tried in vain.
            Draining: the service is away or full, and the worker stops.
        """
        # Somebody may be waiting before a screen for another page: pages of jobs come after theirs.
        options = replace(spec.options.recognize, priority=Priority.FLEX, page_index=max(lease.number - 1, 0))
        call = Call(request_id=call_name(lease), tenant=lease.tenant, timeout_s=self.timeout_s)
        return await self.patience.through("ocr", lambda: self.client.recognize(picture, options, call))
