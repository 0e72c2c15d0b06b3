"""Whoever is killed, at whatever moment: no page is lost, none is recorded twice, no job is stuck."""

from pathlib import Path

import pytest

from benchmarks.jobs.kills import Plan, Round, rounds
from benchmarks.jobs.places import Place, sqlite_place
from benchmarks.jobs.stage import Cast, staged
from benchmarks.jobs.testing import new_seed, postgres_or_skip

ROUNDS = 5
CAST = Cast()
# A dead worker's pages are others' after a lease, a look for it, and a second: with room for a busy machine.
RECOVERED_S = 5 * (CAST.lease_s + CAST.lease_s / 3 + 1.0)


async def killed(place: Place, folder: Path, victims: tuple[str, ...]) -> list[Round]:
    """Five rounds; nobody ends who was not killed."""
    seed = new_seed()
    async with staged(place, folder, Cast(seed=seed)) as stage:
        found = await rounds(stage, Plan(seed, ROUNDS, victims))
        stage.check_alive()
    return found


def judge(found: list[Round]) -> None:
    """What was promised."""
    assert [f"round {one.number}: {violation}" for one in found for violation in one.found.violations] == []
    for one in found:
        # A page whose lease lapsed is read again, whoever was slow: at most all that all workers held.
        assert one.found.read_again <= CAST.workers * CAST.slots
        for recovery in one.found.recoveries:
            assert recovery.held <= CAST.slots
            assert recovery.seconds is not None
            assert recovery.seconds <= RECOVERED_S


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kills_on_sqlite(tmp_path: Path) -> None:
    """One machine: workers and the gateway are killed, and a worker sleeps for longer than its leases."""
    with sqlite_place(tmp_path) as place:
        judge(await killed(place, tmp_path, ("worker", "gateway", "worker", "frozen worker")))


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_kills_on_postgresql(tmp_path: Path) -> None:
    """Several machines, as it were: the database server is killed as well; documents lie in a bucket."""
    with postgres_or_skip() as place:
        judge(await killed(place, tmp_path, ("worker", "database", "gateway", "frozen worker")))
