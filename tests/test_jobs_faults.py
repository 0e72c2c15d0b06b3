"""Faults at every boundary between workers and the world: what callers were promised is kept all the same."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.jobs.crew import Ordeal, endured
from benchmarks.jobs.faults import BLOB, RPC, SQL, WEIGHTS, Chance, Fault
from benchmarks.jobs.places import Place, sqlite_place
from benchmarks.jobs.testing import new_seed, postgres_or_skip

FAULTS = 100


@contextmanager
def place_of(kind: str, folder: Path) -> Iterator[Place]:
    """By name."""
    with sqlite_place(folder) if kind == "sqlite" else postgres_or_skip() as place:
        yield place


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_faults_break_no_promise(kind: str, tmp_path: Path) -> None:
    """A hundred faults, a killed database server among them: no page lost, none twice, nobody stuck."""
    ordeal = Ordeal(new_seed(), FAULTS, restarts=1)
    with place_of(kind, tmp_path) as place:
        outcome = await endured(place, tmp_path, ordeal)
    assert [str(violation) for violation in outcome.violations] == []
    assert sum(outcome.drawn.values()) == FAULTS
    assert set(outcome.ends) <= {"done", "partial", "cancelled"}
    assert outcome.restarts == (kind == "postgresql")


def test_chance_can_be_repeated() -> None:
    """The same seed draws the same faults, as many as were asked for, of every kind that makes sense."""
    draws = []
    for _ in range(2):
        chance = Chance(random.Random(7), rate=0.5, budget=3000, lease_s=1.0)  # noqa: S311 - to be repeated
        places = random.Random(8).choices((SQL, BLOB, RPC), k=10_000)  # noqa: S311 - same
        draws.append([chance.draw(place) for place in places])
        assert chance.spent
        assert sum(chance.drawn.values()) == 3000
        assert set(chance.drawn) == {f"{place} {fault}" for place in WEIGHTS for fault in WEIGHTS[place]}
    assert draws[0] == draws[1]
    assert {*draws[0]} == {None, *Fault}
