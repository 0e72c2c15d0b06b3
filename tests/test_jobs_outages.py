"""What jobs stand on goes away for some seconds in the middle of one: it goes on by itself afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.jobs import outages
from benchmarks.jobs.callers import Order
from benchmarks.jobs.kills import judged
from benchmarks.jobs.outages import Outage, survived
from benchmarks.jobs.places import Place, sqlite_place
from benchmarks.jobs.stage import Cast, Stage, staged
from benchmarks.jobs.testing import disk_or_skip, postgres_or_skip

AWAY_S = 5.0
PAGES = 60
CAST = Cast(workers=1, lease_s=6.0)


async def through(place: Place, folder: Path, *makers: Callable[[Stage], Outage]) -> None:
    """A job with each outage in its middle is done afterwards, whole, and so is the next one."""
    async with staged(place, folder, CAST) as stage:
        for number, make in enumerate(makers):
            outage = make(stage)
            order = Order(f"outage{number}", PAGES)
            found = await survived(stage, outage, order, AWAY_S)
            assert found.state == "done", outage.name
            violations = await judged(stage, {order.label: found.job}, 0.0)
            assert [str(violation) for violation in violations.violations] == [], outage.name
        job = await stage.caller.submit(Order("next", 3))
        assert await stage.caller.watch(job) == "done"
        stage.check_alive()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_engine_and_blobs_away(tmp_path: Path) -> None:
    """The ocr service, then the folder of the blobs: pages wait, no attempt is spent, nothing is lost."""
    with sqlite_place(tmp_path) as place:
        await through(place, tmp_path, outages.engine_away, outages.folder_away)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_database_away(tmp_path: Path) -> None:
    """The database server, without a word."""
    with postgres_or_skip() as place:
        await through(place, tmp_path, outages.database_away)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_disk_full(tmp_path: Path) -> None:
    """The disk of database and blobs has not a byte left: everything waits until there is room again."""
    with disk_or_skip(tmp_path / "disk") as disk, sqlite_place(disk) as place:
        await through(place, tmp_path, lambda _: outages.disk_full(disk))
