"""Figures of a run: speeds, ratios within a round, core-seconds, money, accuracy."""

from benchmarks.cpu.calibration import Decile, deciles
from benchmarks.cpu.contenders import OURS
from benchmarks.cpu.crew import Pass
from benchmarks.cpu.floor import floor
from benchmarks.cpu.judging import UNPLACED_KINDS, Judged, judged
from benchmarks.cpu.measuring import Run
from benchmarks.quality.scoring import Score, in_rows, score
from benchmarks.spread import Spread, ratios, spread

_HOUR_S = 3600


def passes(run: Run, group: str, name: str) -> list[Pass]:
    """One a round; none where the contender or the group took no part."""
    return run.passes.get(group, {}).get(name, [])


def seconds(run: Run, group: str, name: str) -> Spread | None:
    """On the clock, for a picture, with all of a contender's processes at work."""
    count = len(run.pictures(group))
    return _spread([found.wall_s / count for found in passes(run, group, name)])


def speed(run: Run, group: str, name: str) -> Spread | None:
    """Pictures a second."""
    count = len(run.pictures(group))
    return _spread([count / found.wall_s for found in passes(run, group, name)])


def core_seconds(run: Run, group: str, name: str) -> Spread | None:
    """Seconds of processors for a picture."""
    count = len(run.pictures(group))
    return _spread([found.cpu_s / count for found in passes(run, group, name)])


def money(run: Run, group: str, name: str, price: float) -> Spread | None:
    """Dollars for 1,000 pictures on a machine that costs `price` an hour and does nothing else."""
    found = seconds(run, group, name)
    if found is None:
        return None
    each = 1000 * price / _HOUR_S
    return Spread(found.median * each, found.low * each, found.high * each)


def speed_up(run: Run, group: str, name: str, ours: str = OURS) -> Spread | None:
    """How many times as fast ours is, round by round."""
    us, them = passes(run, group, ours), passes(run, group, name)
    if not us or not them:
        return None
    return ratios([found.wall_s for found in them], [found.wall_s for found in us])


def fraction_of_floor(run: Run, group: str, cores: int) -> Spread | None:
    """Per cent of the speed that the networks' operations allow at the processor's peak."""
    if group not in run.profiles or not passes(run, group, OURS):
        return None
    least = floor(run.profiles[group], run.peak["gflops"], cores)
    count = len(run.pictures(group))
    return spread([least.reached(found.wall_s / count) for found in passes(run, group, OURS)])


def scores(run: Run) -> dict[str, dict[str, list[Score]]]:
    """Kind -> contender -> one score a picture."""
    return {
        kind: {
            name: [
                score(sample.truth, in_rows([line.placed for line in readings[sample.name]]))
                for sample in run.data.samples
                if sample.kind == kind
            ]
            for name, readings in run.readings.items()
        }
        for kind in run.data.kinds()
    }


def judged_lines(run: Run, name: str) -> list[Judged]:
    """All lines of a contender on the pictures whose truth has boxes in their frame."""
    return [
        verdict
        for sample in run.data.samples
        if sample.lines and sample.kind not in UNPLACED_KINDS
        for verdict in judged(run.readings[name][sample.name], sample.lines)
    ]


def calibrations(run: Run) -> dict[str, list[Decile]]:
    """Contender -> deciles of its confidences."""
    found = {name: deciles(judged_lines(run, name)) for name in run.contenders}
    return {name: groups for name, groups in found.items() if groups}


def _spread(values: list[float]) -> Spread | None:
    return spread(values) if values else None
