"""A worker that kills itself at a named place: `python worker_process.py SETTINGS`."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from typing import Any

from pecia_core.pdf import PdfRenderer
from pecia_jobs.blobs import open_blobs
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import Job, JobState, Lease, NewJob
from pecia_jobs.outbox import Delivery, Outbox
from pecia_jobs.retention import Limits
from pecia_jobs.settings import BlobSettings
from pecia_jobs.store import Store
from pecia_worker.intake import IntakeMetrics, Shop, build_intake, scripts
from pecia_worker.intake.documents import Documents
from pecia_worker.intake.link import RedisLink
from pecia_worker.intake.result import DocumentResult
from pecia_worker.intake.testing import Reader
from pecia_worker.intake_settings import IntakeGroups
from prometheus_client import CollectorRegistry

DIES_AT = ""
ROOM = Limits(max_bytes=1 << 40, max_jobs=1000, max_age_s=3600.0)
_STEPS = {scripts.TAKE: "take", scripts.END: "end"}


def passing(place: str) -> None:
    """Die here if this is where to die, as if the power went."""
    if place == DIES_AT:
        os.kill(os.getpid(), signal.SIGKILL)


class Link(RedisLink):
    """Dies around the steps in Redis."""

    async def ask(self, *command: str | bytes | int) -> Any:
        step = _STEPS.get(str(command[1]), "other")
        if step != "take" or await super().ask("LLEN", command[3]):
            passing(f"before {step}")
        answer = await super().ask(*command)
        if answer:
            passing(f"after {step}")
        return answer


class Rows(Documents):
    """Dies around the result's row."""

    async def end(self, result: DocumentResult, *, again: bool = False) -> bool:
        passing("before row")
        written = await super().end(result, again=again)
        passing("after row")
        return written


class Jobs(Store):
    """Dies around the job's insert."""

    async def create(self, new: NewJob) -> tuple[Job, bool]:
        passing("before create")
        made = await super().create(new)
        passing("after create")
        return made


class Pages(Leases):
    """Dies around the end of a job."""

    async def finish(self, lease: Lease, state: JobState, *, stored: int = 0, error: str = "") -> bool:
        passing("before terminal")
        done = await super().finish(lease, state, stored=stored, error=error)
        passing("after terminal")
        return done


class Deliveries(Outbox):
    """Dies before it is noted that the end was told."""

    async def delivered(self, delivery: Delivery, status: int | None = None) -> bool:
        passing("before delivered")
        return await super().delivered(delivery, status)


async def work(asked: dict[str, Any]) -> None:
    """Work until killed."""
    groups = IntakeGroups(**asked["groups"])
    database = Database(asked["database"])
    await database.migrate()
    async with PdfRenderer() as renderer:
        shop = Shop(database, Jobs(database), open_blobs(BlobSettings(**asked["blobs"])), renderer, ROOM)
        rows = Rows(Database(groups.documents.url.get_secret_value()), groups.documents)
        metrics = IntakeMetrics(CollectorRegistry())
        parts = build_intake(groups, shop, metrics, Link(groups.redis), rows)
        outbox = Deliveries(database, lease_s=2.0)
        reader = Reader(Pages(database, lease_s=2.0), shop, outbox, parts.finisher)
        await asyncio.gather(parts.intake.run(asyncio.Event()), reader.run())


def main() -> None:
    """One worker for each line of standard input, a process of its own; answers how each ended.

    They are forked, so that what they are made of is imported once.
    """
    global DIES_AT  # noqa: PLW0603 - of the child alone
    settings = json.loads(sys.argv[1])
    for line in sys.stdin:
        if not (child := os.fork()):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # die with this process
            DIES_AT = line.strip()
            asyncio.run(work(settings))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
