"""The parts of the benchmark that break things: each runs for minutes and gives a section of the page."""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs import outages
from benchmarks.jobs.callers import Order
from benchmarks.jobs.crew import Ordeal, Outcome, endured
from benchmarks.jobs.figures import Figure, count
from benchmarks.jobs.kills import Plan, Round, rounds
from benchmarks.jobs.outages import NoMount, Outage, Survived, small_disk, survived
from benchmarks.jobs.places import Place, postgres_place, sqlite_place
from benchmarks.jobs.sections import Section
from benchmarks.jobs.stage import Cast, Stage, staged
from benchmarks.spread import spread

_FAULTS_A_RUN = 500
_CAST = Cast()
_PAGES = 150
_ON_SQLITE = ("worker", "gateway", "worker", "frozen worker")
_ON_POSTGRES = ("worker", "database", "gateway", "worker", "database", "frozen worker")
_RECOVERED_S = _CAST.lease_s + _CAST.lease_s / 3 + 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything; `away_s` = seconds of an outage, `seconds` = of one measurement."""

    seed: int
    kills: int = 50
    faults: int = 3000
    away_s: float = 20.0
    seconds: float = 10.0
    rounds: int = 5
    ready: tuple[int, ...] = (100_000, 1_000_000)


@contextmanager
def folder_of() -> Iterator[Path]:
    """A temporary one."""
    with tempfile.TemporaryDirectory(prefix="pecia-jobs-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def kills(size: Size) -> Section:
    """Rounds in each of which somebody is killed."""
    with folder_of() as folder, sqlite_place(folder) as place:
        found = asyncio.run(_killed(place, folder, Plan(size.seed, size.kills, _ON_SQLITE)))
    with folder_of() as folder, postgres_place() as place:
        found += asyncio.run(_killed(place, folder, Plan(size.seed + 1, size.kills, _ON_POSTGRES)))
    return Section("kills", "Kills", _kill_figures(found), _kill_notes(found, size))


async def _killed(place: Place, folder: Path, plan: Plan) -> list[Round]:
    def told(one: Round) -> None:
        broken = "; ".join(map(str, one.found.violations)) or "all well"
        print(f"{place.name} {one.number} {one.victim}: {one.seconds:.1f} s, {broken}", file=sys.stderr)

    async with staged(place, folder, Cast(seed=plan.seed, refused=0.05)) as stage:
        found = await rounds(stage, plan, told)
        stage.check_alive()
    return found


def _kill_figures(found: Sequence[Round]) -> list[Figure]:
    rules = Counter(violation.rule for one in found for violation in one.found.violations)
    other = sum(rules.values()) - sum(rules[name] for name in _NAMED)
    dead = [one for one in found if one.victim == "worker"]
    seconds = [r.seconds for one in dead for r in one.found.recoveries if r.seconds is not None and r.held]
    never = sum(r.seconds is None for one in found for r in one.found.recoveries)
    figures = [count(f"{measure} ({name})", rules[name], 0) for name, measure in _NAMED.items()]
    figures += [count("other promises broken", other, 0), count("pages never picked up again", never, 0)]
    if dead:
        again = spread([one.found.read_again for one in dead])
        figures.append(Figure("pages read again after a worker's death", again, "", _CAST.slots))
    if seconds:
        measure = "until the dead worker's pages were in other hands"
        figures.append(Figure(measure, spread(seconds), "s", _RECOVERED_S, digits=2))
    return figures


_NAMED = {
    "lost page": "pages lost",
    "lost job": "jobs lost",
    "recorded twice": "pages recorded twice",
    "stuck job": "jobs stuck",
    "two webhook ids": "ends told under two ids",
    "no webhook": "ends not told",
    "orphan lease": "orphan leases",
}


def _kill_notes(found: Sequence[Round], size: Size) -> list[str]:
    hit = Counter(one.victim for one in found)
    frozen = [one.found.read_again for one in found if one.victim == "frozen worker"]
    return [
        f"{len(found)} rounds, {sum(one.pages for one in found)} pages; hit: "
        + ", ".join(f"{victim} {times}" for victim, times in sorted(hit.items())),
        f"leases of {_CAST.lease_s:g} s, {_CAST.workers} workers of {_CAST.slots} pages",
        f"a worker that slept through its leases had at most {max(frozen, default=0)} pages read again",
        f"seeds {size.seed} and {size.seed + 1}; one webhook in twenty is refused and comes again",
    ]


def faults(size: Size) -> Section:
    """Faults at every boundary, some hundred a run, on each database in turn."""
    runs, left, number = [], size.faults, 0
    while left > 0:
        ordeal = Ordeal(size.seed + number, min(left, _FAULTS_A_RUN), restarts=3, lease_s=2.0, within_s=900.0)
        with folder_of() as folder, _place(number, folder) as place:
            runs.append(asyncio.run(endured(place, folder, ordeal)))
        print(f"faults {place.name} seed {ordeal.seed}: {runs[-1].ends}", file=sys.stderr)
        left -= ordeal.faults
        number += 1
    drawn = Counter[str]()
    for one in runs:
        drawn.update(one.drawn)
    notes = [f"{name}: {times}" for name, times in sorted(drawn.items())]
    return Section("faults", "Faults at every boundary", _fault_figures(runs), notes)


def _place(number: int, folder: Path) -> AbstractContextManager[Place]:
    return postgres_place() if number % 2 else sqlite_place(folder)


def _fault_figures(runs: Sequence[Outcome]) -> list[Figure]:
    ends = Counter[str]()
    for one in runs:
        ends.update(one.ends)
    return [
        count("faults", sum(sum(one.drawn.values()) for one in runs)),
        count("database servers killed", sum(one.restarts for one in runs)),
        count("promises broken", sum(len(one.violations) for one in runs), 0),
        count("pages", sum(one.pages for one in runs)),
        *(count(f"jobs {state}", times) for state, times in sorted(ends.items())),
    ]


def away(size: Size) -> Section:
    """What jobs stand on goes away in the middle of one."""
    found: list[Survived] = []
    with folder_of() as folder, sqlite_place(folder) as place:
        makers = (outages.engine_away, outages.folder_away)
        found += asyncio.run(_through(place, folder, size.away_s, *makers))
    with folder_of() as folder, postgres_place() as place:
        found += asyncio.run(_through(place, folder, size.away_s, outages.database_away))
    notes = []
    try:
        with folder_of() as folder, small_disk(folder / "disk") as disk, sqlite_place(disk) as place:
            found += asyncio.run(_through(place, folder, size.away_s, lambda _: outages.disk_full(disk)))
    except NoMount as missing:
        notes = [str(missing)]
    figures = []
    for one in found:
        figures.append(count(f"{one.name} away for {one.away_s:g} s: jobs not done", one.state != "done", 0))
        after = spread([one.seconds_after])
        figures.append(Figure(f"{one.name}: until the job of {one.pages} pages had ended", after, "s"))
    return Section("away", "Outages in the middle of a job", figures, notes)


async def _through(
    place: Place, folder: Path, away_s: float, *makers: Callable[[Stage], Outage]
) -> list[Survived]:
    found = []
    async with staged(place, folder, Cast(workers=1, lease_s=30.0)) as stage:
        for number, make in enumerate(makers):
            order = Order(f"away{number}", _PAGES)
            found.append(await survived(stage, make(stage), order, away_s))
            print(f"{found[-1].name}: {found[-1].state}", file=sys.stderr)
        stage.check_alive()
    return found
