"""How fast pages are claimed from a full queue, and how soon somebody hears how far a job is. PostgreSQL."""

import asyncio
import multiprocessing
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.store import Store
from pecia_jobs.testing import PostgresServer, result_of, sample_job
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_PAGES = """INSERT INTO page (job_id, number, tenant, priority, rank, state)
    SELECT :job, n, :tenant, 1, n, 'ready' FROM
    generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n"""
_QUEUE = """INSERT INTO page_ready (page_id, tenant, priority, rank, number)
    SELECT id, tenant, priority, rank, number FROM page
    WHERE job_id = :job AND number BETWEEN :first AND :last"""
_TOTAL = "UPDATE job SET pages_total = :last WHERE id = :job"
_AT_ONCE = 4
_POOL = 5
# Pages a transaction: the database bounds how long a statement may take.
_PART = 50_000


@dataclass(frozen=True, slots=True)
class Claims:
    """Of some claimers on a queue of `ready` pages: each claim's seconds, and all pages taken.

    `cpu_s` is that of the claimers' own processes, not the server's.
    """

    ready: int
    claimers: int
    pages: int
    wall_s: float
    cpu_s: float
    seconds: list[float]

    @property
    def per_second(self) -> float:
        """Pages claimed a second by all of them."""
        return self.pages / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds a page, in the claimers."""
        return 1e3 * self.cpu_s / max(self.pages, 1)


@dataclass(frozen=True, slots=True)
class _Load:
    url: str
    claimers: int
    seconds: float
    recorded: bool
    most_running: int | None


async def filled(server: PostgresServer, ready: int, tenants: int = 1) -> str:
    """A database with so many pages ready; gives its URL."""
    url = await server.new_database()
    database = Database(url)
    await database.migrate()
    for number in range(tenants):
        new = sample_job(number, tenant=f"t{number}")
        job, _ = await Store(database).create(new)
        pages = ready // tenants
        for first in range(2, pages + 1, _PART):
            last = min(first + _PART - 1, pages)
            values: dict[str, str | int] = {"job": job.id, "tenant": new.tenant, "first": first, "last": last}
            await database.changing(partial(_fill, values=values))
    await database.close()
    await server.execute("VACUUM ANALYZE", url.split("/")[3].split("?")[0])
    return url


async def _fill(connection: AsyncConnection, values: Mapping[str, str | int]) -> None:
    for statement in (_PAGES, _QUEUE, _TOTAL):
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        await connection.execute(text(statement), used)


def claimed(url: str, ready: int, claimers: int, seconds: float, *, recorded: bool = False) -> Claims:
    """Claim four pages at a time for some seconds, in two processes where there are many claimers.

    With `recorded`, each page is recorded as well, and tenants have limits that are looked at.
    """
    processes = 2 if claimers > 1 else 1
    load = _Load(url, claimers // processes, seconds, recorded, 10**6 if recorded else None)
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        parts = pool.map(_process, [load] * processes)
    taken = sum(part[0] for part in parts)
    times = [second for part in parts for second in part[1]]
    return Claims(ready, claimers, taken, seconds, sum(part[2] for part in parts), times)


def _process(load: _Load) -> tuple[int, list[float], float]:
    before = _cpu_s()
    pages, times = asyncio.run(_claims(load))
    return pages, times, _cpu_s() - before


async def _claims(load: _Load) -> tuple[int, list[float]]:
    database = Database(load.url, pool_size=_POOL)
    limits = {} if load.most_running is None else {"tenant_max_running": load.most_running}
    leases = Leases(database, **limits)
    end = time.monotonic() + load.seconds
    times: list[float] = []
    pages = 0

    async def claimer(name: str) -> None:
        nonlocal pages
        while time.monotonic() < end:
            began = time.monotonic()
            found = await leases.claim(name, _AT_ONCE)
            times.append(time.monotonic() - began)
            assert len(found) <= _AT_ONCE
            pages += len(found)
            if load.recorded and found:
                await leases.record([result_of(lease) for lease in found])

    await asyncio.gather(*(claimer(f"c{number}") for number in range(load.claimers)))
    await database.close()
    return pages, times


async def progress_reads(url: str, times: int) -> list[float]:
    """Seconds of reading how far a job is."""
    database = Database(url)
    store = Store(database)
    new = sample_job(10**6, tenant="reader")
    job, _ = await store.create(new)
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        await store.job(new.tenant, job.id)
        seconds.append(time.monotonic() - began)
    await database.close()
    return seconds


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def told(found: Sequence[Claims]) -> None:
    """A line for whoever waits."""
    for one in found:
        print(f"{one.ready:,} ready, {one.claimers} claimers: {one.per_second:.0f} pages/s", file=sys.stderr)
