"""Who gets which pages: never more than asked, in the right order, fair, and within the limits."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from pecia_core.vocabulary import Priority
from pecia_jobs.database import Database
from pecia_jobs.leases import Leases
from pecia_jobs.model import Lease
from pecia_jobs.schema import page_ready
from pecia_jobs.sharing import shares
from pecia_jobs.store import Store
from pecia_jobs.testing import result_of, sample_job
from sqlalchemy import event, insert, text


async def test_a_claim_never_takes_more_than_asked(store: Store, leases: Leases, database: Database) -> None:
    """Whatever the planner thinks of the tables: empty, full, counted, and its ways forbidden in turn.

    An UPDATE over a plain subquery with LIMIT and SKIP LOCKED took 50 pages for 4 when the plan changed.
    """
    await store.create(sample_job(1, pages=400))
    await store.create(sample_job(2, pages=3, tenant="bela"))
    ways = ("seqscan", "indexscan", "bitmapscan", "hashjoin", "mergejoin", "nestloop", "hashagg", "sort")
    for way in ways:
        for analyze in (False, True):
            if not database.sqlite:
                await _forbid(database, way, analyze=analyze)
            for n in (1, 4, 7):
                assert len(await leases.claim("w1", n)) == n
    assert len(await leases.claim("w1", 4)) == 4


async def _forbid(database: Database, way: str, *, analyze: bool) -> None:
    """In the one connection there is."""
    async with database.write() as connection:
        await connection.execute(text("RESET ALL"))
        await connection.execute(text(f"SET enable_{way} = off"))
        if analyze:
            await connection.execute(text("ANALYZE"))


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)  # SQLite has one writer and no such planner
async def test_a_limit_that_does_not_hold_is_caught(store: Store, leases: Leases, database: Database) -> None:
    """Should a planner ever choose more rows than the limit says, no more than the share is taken."""
    await store.create(sample_job(pages=9))
    widened = []

    def widen(*called: Any) -> tuple[str, Any]:
        statement: str = called[2]
        if "SKIP LOCKED" in statement:
            widened.append(statement)
            statement = statement.replace("LIMIT", "LIMIT 5 +")
        return statement, called[3]

    event.listen(database._writer.sync_engine, "before_cursor_execute", widen, retval=True)
    assert [lease.number for lease in await leases.claim("w1", 2)] == [1, 2]
    event.remove(database._writer.sync_engine, "before_cursor_execute", widen)
    assert widened
    assert len(await leases.claim("w1", 99)) == 7


async def test_a_receipt_is_not_behind_a_book(store: Store, leases: Leases) -> None:
    """A job that comes later begins with its tenant's next page; then the two take turns."""
    book, _ = await store.create(sample_job(1, pages=500))
    assert len(await leases.claim("w1", 8)) == 8
    receipt, _ = await store.create(sample_job(2))
    invoice, _ = await store.create(sample_job(3, pages=3))
    following = [(lease.job_id, lease.number) for lease in await leases.claim("w1", 7)]
    assert following[:2] == [(receipt.id, 1), (invoice.id, 1)] or following[:2] == [
        (invoice.id, 1),
        (receipt.id, 1),
    ]
    assert following[2:] == [(book.id, 9), (invoice.id, 2), (book.id, 10), (invoice.id, 3), (book.id, 11)]


async def test_a_stream_of_receipts_does_not_stop_the_book(store: Store, leases: Leases) -> None:
    """New jobs join in the next round; what waited for its turn gets it."""
    book, _ = await store.create(sample_job(0, pages=30))
    await leases.claim("w1", 3)
    taken: Counter[str] = Counter()
    for number in range(1, 21):
        await store.create(sample_job(number))
        taken.update(
            (lease.job_id == book.id and "book") or "receipt" for lease in await leases.claim("w1", 2)
        )
    assert taken["book"] >= 15
    assert taken["receipt"] >= 15


async def test_priority_goes_first_within_a_tenant(store: Store, leases: Leases) -> None:
    """Of one tenant's pages; another tenant's turn is not affected by it."""
    flex, _ = await store.create(sample_job(1, pages=3, priority=Priority.FLEX))
    usual, _ = await store.create(sample_job(2, pages=3))
    urgent, _ = await store.create(sample_job(3, pages=3, priority=Priority.PRIORITY))
    claimed = [lease.job_id for lease in await leases.claim("w1", 9)]
    assert claimed == [urgent.id] * 3 + [usual.id] * 3 + [flex.id] * 3
    await store.create(sample_job(4, pages=2, priority=Priority.PRIORITY))
    other, _ = await store.create(sample_job(5, tenant="bela", priority=Priority.FLEX))
    assert [lease.job_id for lease in await leases.claim("w1", 1)] == [other.id]


async def test_who_has_the_least_running_is_served(store: Store, leases: Leases) -> None:
    """Pages are parted so that tenants come out even, by their weights; late ones catch up."""
    await store.create(sample_job(1, pages=50, tenant="a"))
    assert len(await leases.claim("w1", 4)) == 4
    await store.create(sample_job(2, pages=50, tenant="b"))
    assert _tenants(await leases.claim("w1", 6)) == {"b": 5, "a": 1}
    await store.set_tenant("c", weight=3.0)
    await store.create(sample_job(3, pages=50, tenant="c"))
    assert _tenants(await leases.claim("w1", 15)) == {"c": 15}
    assert _tenants(await leases.claim("w1", 5)) == {"a": 1, "b": 1, "c": 3}


async def test_limits_hold_under_many_claimers(store: Store, leases: Leases) -> None:
    """However many ask at once, no tenant ever has more pages running than it may."""
    limits = {"a": 3, "b": 8, "c": 1}
    for number, (name, most) in enumerate(limits.items()):
        await store.set_tenant(name, max_running=most)
        await store.create(sample_job(number, pages=20, tenant=name))
    running: Counter[str] = Counter()
    highest: Counter[str] = Counter()
    done: Counter[str] = Counter()

    async def work(worker: str) -> None:
        while sum(done.values()) < 60:
            claimed = await leases.claim(worker, 4)
            running.update(lease.tenant for lease in claimed)
            for name in limits:
                highest[name] = max(highest[name], running[name])
            await asyncio.sleep(0 if claimed else 0.02)
            # Before the database knows: it may give them to others at once.
            running.subtract(lease.tenant for lease in claimed if lease.number)
            done.update(lease.tenant for lease in claimed if lease.number)
            await leases.record([result_of(lease) for lease in claimed if lease.number])

    await asyncio.gather(*(work(f"w{number}") for number in range(10)))
    assert done == {"a": 20, "b": 20, "c": 20}
    assert all(highest[name] <= most for name, most in limits.items())


async def test_a_tenant_at_its_limit_is_passed_over(store: Store, leases: Leases) -> None:
    """Others go on, and it goes on when one of its pages ends; workers may be set to a limit for all."""
    await store.set_tenant("a", max_running=2)
    await store.create(sample_job(1, pages=9, tenant="a"))
    first = await leases.claim("w1", 9)
    assert len(first) == 2
    assert await leases.claim("w1", 9) == []
    await leases.record([result_of(first[0])])
    assert len(await leases.claim("w1", 9)) == 1


async def test_a_limit_for_all_tenants(store: Store, database: Database) -> None:
    """What workers are set to counts where nothing is said of a tenant."""
    leases = Leases(database, tenant_max_running=2)
    await store.set_tenant("b", max_running=3)
    for number, name in enumerate("ab"):
        await store.create(sample_job(number, pages=9, tenant=name))
    assert _tenants(await leases.claim("w1", 9)) == {"a": 2, "b": 3}


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)  # SQLite has one writer and no such planner
async def test_a_row_in_the_way_does_not_end_a_claim(
    store: Store, leases: Leases, database: Database
) -> None:
    """A tenant that another claim holds is waited for: nobody is told that there is nothing to do."""
    await store.create(sample_job(pages=5))
    async with database.write() as connection:
        await connection.execute(text("SELECT 1 FROM tenant FOR UPDATE"))
        claim = asyncio.create_task(leases.claim("w1", 2))
        await asyncio.sleep(0.2)
        assert not claim.done()
    assert len(await claim) == 2


async def test_a_queued_row_without_its_page_is_passed_over(
    store: Store, leases: Leases, database: Database
) -> None:
    """The page's own state has the last word."""
    await store.create(sample_job(pages=1))
    async with database.write() as connection:
        lost = {"page_id": 999, "tenant": "anna", "priority": 0, "rank": 0, "number": 1}
        await connection.execute(insert(page_ready).values(**lost))
    assert [lease.number for lease in await leases.claim("w1", 5)] == [1]


def _tenants(claimed: list[Lease]) -> dict[str, int]:
    return dict(Counter(lease.tenant for lease in claimed))


def test_shares_are_dealt_one_by_one() -> None:
    """To whoever has the least for its weight, and no more than fits."""

    class Row:
        def __init__(self, name: str, running: int, weight: float, room: int) -> None:
            self.id, self.running, self.weight, self.room = name, running, weight, room

    assert shares([Row("a", 0, 1, 9), Row("b", 2, 1, 9)], 4) == {"a": 3, "b": 1}  # type: ignore[list-item]
    assert shares([Row("a", 0, 1, 2), Row("b", 0, 1, 9)], 9) == {"a": 2, "b": 7}  # type: ignore[list-item]
    assert shares([Row("a", 5, 2, 9), Row("b", 2, 1, 9)], 1) == {"b": 1}  # type: ignore[list-item]
    assert shares([], 3) == {}
