"""The intake keeps the limits that REST keeps, and counts what becomes of documents."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pecia_dispatch.testing import Script, ScriptedOcr
from pecia_jobs.store import Store
from pecia_jobs.testing import sample_job
from pecia_worker.intake_settings import IntakeGroups
from pecia_worker.main import World
from pecia_worker.settings import Settings
from pecia_worker.testing import until, working

Open = Callable[..., Awaitable[Any]]
QUICK = {"stuck_timeout_ms": 400, "poll_interval_ms": 50, "max_retries": 2}


@pytest.mark.usefixtures("receipt")
@pytest.mark.parametrize("within", [{"max_jobs": 1}, {"max_bytes": 1500}], ids=["count", "storage"])
async def test_a_document_waits_for_room(
    open_office: Open, backend: Any, table: Any, world: World, within: dict[str, int]
) -> None:
    """Where REST would say 429: the id goes back to the list, no try of it counts; then it is read."""
    store = Store(world.database)
    # In the way: a job that has not ended and that no worker takes before the day after tomorrow.
    other, _ = await store.create(sample_job(not_before=4e9))
    document_id = await table.add("receipt.png")
    await backend.push(document_id)
    office = await open_office(intake=QUICK, within=within)
    await until(lambda: _count(office, "waited") >= 3)
    left = await backend.left()
    assert left["dead"] == []
    assert [job.id for job in (await store.jobs("filot"))[0]] == []
    assert "failed" not in await table.changes(document_id)
    await store.cancel(other.tenant, other.id)
    await until(lambda: backend.heard_of(document_id))
    assert backend.heard_of(document_id)[0]["success"] is True


def _count(office: Any, outcome: str) -> float:
    return float(office.metrics.documents.labels(outcome)._value.get())


@pytest.mark.usefixtures("receipt")
async def test_what_becomes_of_documents_is_counted(
    open_office: Open, backend: Any, table: Any, ocr: ScriptedOcr
) -> None:
    """Taken, completed, refused; that another engine answered; how long it took; and what Redis holds."""
    ocr.play = lambda _picture, asked: Script(("hello",), fallback_from=asked.model)
    read, refused = await table.add("receipt.png"), await table.add("missing.png")
    for document_id in (read, refused):
        await backend.push(document_id)
    office = await open_office()
    await until(lambda: backend.heard_of(read) and backend.heard_of(refused))
    await until(lambda: _count(office, "completed"))
    outcomes = ("taken", "completed", "refused", "failed", "dead", "waited")
    assert [_count(office, outcome) for outcome in outcomes] == [1, 1, 1, 0, 0, 0]
    assert office.metrics.fallbacks._value.get() == 1
    assert office.metrics.lag._sum.get() > 0
    assert await office.parts.queue.counts() == {"list": 0, "processing": 0, "dead": 0}


async def test_the_workers_own_metrics_have_them(
    settings: Settings, groups: Callable[..., dict[str, Any]], world: World, redis: Any
) -> None:
    """Under /metrics of the worker, ids that nobody takes among them."""
    await redis.rpush("filot:ocr:gpu:dead", "one", "two")
    asked = settings.model_copy(update=dict(IntakeGroups.model_validate(groups())))
    async with working(asked, world) as worker:
        registry = worker.metrics.registry
        await until(lambda: registry.get_sample_value("pecia_intake_ids", {"where": "dead"}) == 2)
        assert registry.get_sample_value("pecia_intake_ids", {"where": "list"}) == 0
