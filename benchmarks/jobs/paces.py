"""The parts of the benchmark that measure how fast things are."""

import asyncio
from collections.abc import Sequence

from pecia_jobs.testing import postgres, sqlite_url

from benchmarks.jobs import claiming, sharing, stopping
from benchmarks.jobs.claiming import Claims
from benchmarks.jobs.figures import Figure, count, tail_ms
from benchmarks.jobs.parts import Size, folder_of
from benchmarks.jobs.places import sqlite_place
from benchmarks.jobs.sections import Section
from benchmarks.spread import spread

_MANY = 64
_READS = 500
_PAGE_MS = 300.0  # the fastest page of any engine, about


def claims(size: Size) -> Section:
    """Claims from a full queue, on a server that writes as in production."""
    figures: list[Figure] = []
    with postgres(durable=True) as server:
        for ready in size.ready:
            url = asyncio.run(claiming.filled(server, ready))
            one = _repeated(url, ready, 1, size)
            many = _repeated(url, ready, _MANY, size)
            reads = [asyncio.run(claiming.progress_reads(url, _READS)) for _ in range(size.rounds)]
            rate = spread([found.per_second for found in many])
            figures += [
                tail_ms(f"claim of 4, p99, {ready:,} ready, 1 claimer", [c.seconds for c in one], 10),
                Figure(f"{_MANY} claimers, one tenant, {ready:,} ready", rate, "pages/s", 1000, least=True),
                tail_ms(f"reading how far a job is, p99, {ready:,} ready", reads, 5),
            ]
    return Section("claims", "Claims (PostgreSQL, fsync on)", figures)


def overhead(size: Size) -> Section:
    """What a page costs beside being read: claimed and recorded, with a limit that is looked at."""
    figures: list[Figure] = []
    with postgres(durable=True) as server:
        url = asyncio.run(claiming.filled(server, 200_000, tenants=8))
        found = [claiming.claimed(url, 200_000, 4, size.seconds, recorded=True) for _ in range(size.rounds)]
    figures += [
        Figure(
            "processor time a page, in the worker", spread([c.cpu_ms for c in found]), "ms", 3.0, digits=2
        ),
        Figure("pages claimed and recorded", spread([c.per_second for c in found]), "pages/s"),
    ]
    share = spread([100 * c.cpu_ms / _PAGE_MS for c in found])
    figures.append(Figure(f"of a page of {_PAGE_MS:g} ms", share, "%", 3.0, digits=2))
    return Section("overhead", "Overhead of a page (PostgreSQL, 8 tenants with limits)", figures)


def shares(size: Size) -> Section:
    """Limits and fair shares, on both databases."""
    figures: list[Figure] = []
    with postgres() as server, folder_of() as folder:
        urls = {"PostgreSQL": asyncio.run(server.new_database()), "SQLite": sqlite_url(folder)}
        for name, url in urls.items():
            found = [asyncio.run(sharing.shared(url, number)) for number in range(size.rounds)]
            most = max(one.most["limited"] for one in found)
            equal = spread([sharing.jain(list(one.read.values())) for one in found])
            last = spread([one.small_done_s for one in found])
            whole = spread([one.all_done_s for one in found])
            figures += [
                count(f"{name}: pages at once of a tenant who may have 3", most, 3),
                Figure(f"{name}: Jain's index of three equals", equal, "", 0.9, least=True, digits=3),
                Figure(f"{name}: until a receipt that came last was done", last, "s", 2, digits=2),
                Figure(f"{name}: until all 571 pages were", whole, "s", digits=1),
            ]
    return Section("shares", "Tenants", figures)


def stops(size: Size) -> Section:
    """Cancel and drain."""
    with folder_of() as folder, sqlite_place(folder) as place:
        found = asyncio.run(stopping.stops(place, folder, size.rounds))
    figures = [
        Figure("until a cancel is felt by 8 pages of 5 s", spread(found.cancel_s), "s", 2.0, digits=2),
        Figure(
            "until a worker told to stop has gone", spread(found.drain_s), "s", stopping.PAGE_S + 2, digits=2
        ),
        count("workers that did not stop cleanly", sum(status != 0 for status in found.statuses), 0),
    ]
    return Section("stops", "Cancel and drain (SQLite, leases of 3 s)", figures)


def crowd(size: Size) -> Section:
    """A gateway and a worker on one file."""
    found = []
    for _ in range(size.rounds):
        with folder_of() as folder, sqlite_place(folder) as place:
            found.append(asyncio.run(stopping.crowded(place, folder, size.seconds)))
    figures = [
        count("requests not answered with 200", sum(one.refused for one in found), 0),
        count("transactions that found the file locked for too long", sum(one.waits for one in found), 0),
        tail_ms("document of 20 pages taken in, p99", [one.submits for one in found], 250),
        tail_ms("how far a job is, p99", [one.reads for one in found]),
    ]
    return Section("crowd", "SQLite: a gateway and a worker on one file", figures)


def _repeated(url: str, ready: int, claimers: int, size: Size) -> Sequence[Claims]:
    return [claiming.claimed(url, ready, claimers, size.seconds / 2) for _ in range(size.rounds)]
