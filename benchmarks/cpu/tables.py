"""The tables of benchmarks/results/cpu.md."""

from typing import Any

from benchmarks import machine
from benchmarks.cpu import figures
from benchmarks.cpu.calibration import deciles, expected_error
from benchmarks.cpu.contenders import OURS
from benchmarks.cpu.floor import floor, network_shares
from benchmarks.cpu.goals import all_goals
from benchmarks.cpu.judging import SURE, silent_errors
from benchmarks.cpu.measuring import Run
from benchmarks.cpu.profiling import STEPS
from benchmarks.quality.scoring import character_error_rate, in_rows, score
from benchmarks.spread import Spread


def speeds(run: Run, group: str, price: float) -> str:
    """Of one group of pictures: how fast, for how much, within how much memory."""
    lines = [
        f"| contender | {group} a second | ours is faster by | core-s each | $ for 1,000 | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for name in run.contenders:
        ours = figures.speed_up(run, group, name) if name != OURS else None
        cells = [
            _cell(figures.speed(run, group, name), 3),
            _cell(ours),
            _cell(figures.core_seconds(run, group, name)),
            _cell(figures.money(run, group, name, price), 4),
            f"{max(found.peak_mb for found in figures.passes(run, group, name)):.0f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def goals(run: Run, *, bf16: bool) -> str:
    """What was aimed for."""
    rows = [goal.row(bf16=bf16) for goal in all_goals(run, machine.cores())]
    head = ["| against | measure | at least | found | |", "|---|---|---|---|---|"]
    return "\n".join(head + rows) + "\n"


def honesty(run: Run) -> str:
    """Lines that are wrong, and those among them that claim to be sure."""
    lines = [
        f"| contender | lines | wrong | over {SURE} | silent errors | of those | ECE | pictures not read |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in run.contenders:
        found = figures.judged_lines(run, name)
        wrong, sure = sum(not right for _, right in found), sum(confidence > SURE for confidence, _ in found)
        silent = silent_errors(found)
        share, error = 100 * silent / max(1, sure), expected_error(deciles(found))
        lines.append(
            f"| {name} | {len(found)} | {wrong} | {sure} | **{silent}** | {share:.1f} % | {error:.3f} "
            f"| {run.failed[name]} |"
        )
    return "\n".join(lines) + "\n"


def calibration(run: Run) -> str:
    """Our deciles: of a tenth of the lines, the mean confidence and the share that is right."""
    found = figures.calibrations(run).get(OURS, [])
    lines = ["| tenth of the lines | lines | mean confidence | right |", "|---|---|---|---|"]
    lines += [
        f"| {number} | {group.lines} | {group.confidence:.3f} | {group.right:.3f} |"
        for number, group in enumerate(found, 1)
    ]
    return "\n".join(lines) + "\n"


def scripts(run: Run) -> str:
    """Chinese and mixed pages, told and not told what they are."""
    if run.script_data is None:
        return "The font for them (Debian: fonts-wqy-zenhei) is not installed: not measured.\n"
    lines = ["| page | languages | characters | wrong | CER % |", "|---|---|---|---|---|"]
    for number, sample in enumerate(run.script_data.samples):
        for languages, found in run.scripts.items():
            read = score(sample.truth, in_rows([line.placed for line in found.readings[number]]))
            error = character_error_rate([read])
            lines.append(f"| {sample.name} | {languages} | {read.characters} | {read.edits} | {error:.2f} |")
    times = ", ".join(f"{languages} {found.wall_s:.2f} s" for languages, found in run.scripts.items())
    return "\n".join(lines) + f"\n\nBoth pages together: {times}.\n"


def profile(run: Run, group: str) -> str:
    """Where the time goes, and what the networks computed."""
    found = run.profiles[group]
    count, total = found["pictures"], sum(found["seconds"].values())
    lines = ["| step | ms each | share |", "|---|---|---|"]
    for step in STEPS:
        spent = found["seconds"][step]
        lines.append(f"| {step} | {1000 * spent / count:.0f} | {100 * spent / total:.1f} % |")
    lines.append(f"| all | {1000 * total / count:.0f} | 100 % |")
    return "\n".join(lines) + "\n\n" + _work(run, group) + _next_gain(found, run.peak["gflops"])


def _work(run: Run, group: str) -> str:
    found, cores, peak = run.profiles[group], machine.cores(), run.peak["gflops"]
    least = floor(found, peak, cores)
    share = figures.fraction_of_floor(run, group, cores)
    detect, recognise = network_shares(found, peak)
    return (
        f"Computed for each: {found['megapixels'] / found['pictures']:.2f} megapixels detected, "
        f"{found['columns'] / found['pictures']:.0f} columns recognised = {least.gflop:.1f} GFLOP. At the\n"
        f"peak ({run.peak['precision']}, {peak:.0f} GFLOP/s a core, {cores} cores) that takes "
        f"{1000 * least.seconds:.0f} ms: **{_cell(share, 0)} %** of the floor's speed is reached.\n"
        f"Alone, the detector computes at {100 * detect:.0f} % of the peak, the recogniser at "
        f"{100 * recognise:.0f} %.\n"
    )


def _next_gain(found: dict[str, Any], gflops: float) -> str:
    """The steps that lose most: all of a step outside of the networks, of a network what peak would save."""
    lost = dict(found["seconds"])
    for name, share in zip(("detect", "recognise"), network_shares(found, gflops), strict=True):
        lost[f"{name}: network"] *= max(0.0, 1 - share)
    total = sum(found["seconds"].values())
    first, second = sorted(lost, key=lambda step: -lost[step])[:2]
    return (
        f"To gain without fewer operations: {first} (at most {100 * lost[first] / total:.0f} % of "
        f"the time), then {second} ({100 * lost[second] / total:.0f} %).\n"
    )


def _cell(found: Spread | None, digits: int = 2) -> str:
    return found.shown(digits) if found else ""
