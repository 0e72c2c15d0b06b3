"""benchmarks/results/handover.md."""

from collections.abc import Mapping, Sequence

from benchmarks import machine
from benchmarks.handover.accuracy import EXACT
from benchmarks.handover.costs import DPI, Costs
from benchmarks.handover.encodings import DEFAULT
from benchmarks.quality.scoring import Score, character_error_rate, difference, word_f1
from benchmarks.spread import spread

GOAL_MS = 60.0
_HEAD = f"""# Handing a page over

Written by `make bench-handover DATA=<folder>`. A job draws a page ({DPI} dots per inch, A4), packs it, and
hands it to another process, which unpacks it. CPU time (user and system, both sides) is counted, not the
clock; every round has every encoding in it. The median of the rounds stands first, the least and the
largest in brackets.
"""
_ACCURACY = """## Accuracy

The engine `rapid` on exact pixels and on unpacked ones; pictures that came as JPEG are packed a second
time here. The last columns are the encoding minus exact pixels, with the 95 % interval of a paired
bootstrap over pictures: a difference counts when the interval leaves out zero.
"""


def render(
    costs: Mapping[str, Costs],
    drawing_ms: float,
    pool: Sequence[float],
    scores: Mapping[str, Sequence[Score]],
    load: float,
) -> str:
    """The whole page; `load` is the machine's before it all began."""
    rounds = len(costs[DEFAULT].whole)
    circumstances = f"{rounds} rounds, load {load:.1f} before and {machine.load():.1f} after."
    parts = (
        _HEAD,
        _cost_table(costs),
        _goal(costs, drawing_ms, pool),
        _ACCURACY,
        _accuracy_table(scores),
        f"{circumstances}\n{machine.circumstances()}",
    )
    return "\n".join(parts)


def _goal(costs: Mapping[str, Costs], drawing_ms: float, pool: Sequence[float]) -> str:
    whole = spread(costs[DEFAULT].whole)
    met = "met" if whole.median <= GOAL_MS else "missed"
    return (
        f"Drawing itself takes {drawing_ms:.0f} CPU-ms a page. `OpenPdf.render` of a full page of text\n"
        f"(drawing, packing and carrying): {spread(pool).shown(0)} CPU-ms.\n\n"
        f"The goal is {GOAL_MS:.0f} CPU-ms at most for packing, carrying and unpacking: {met} by\n"
        f"the default, {DEFAULT}, with {whole.shown(0)}.\n"
    )


def _cost_table(costs: Mapping[str, Costs]) -> str:
    lines = [
        "| encoding | KiB a page | pack ms | carry ms | unpack ms | together ms |",
        "|---|---|---|---|---|---|",
    ]
    for name, cost in costs.items():
        parts = (spread(values).shown(0) for values in (cost.pack, cost.carry, cost.unpack, cost.whole))
        shown = f"**{name}**" if name == DEFAULT else name
        lines.append(f"| {shown} | {cost.size / 1024:,.0f} | {' | '.join(parts)} |")
    return "\n".join(lines) + "\n"


def _accuracy_table(scores: Mapping[str, Sequence[Score]]) -> str:
    exact = scores[EXACT]
    lines = [
        f"| encoding ({len(exact)} pictures) | CER % | word F1 % | CER minus exact | word F1 minus exact |",
        "|---|---|---|---|---|",
    ]
    for name, found in scores.items():
        gaps = ["", ""]
        if name != EXACT:
            found_gaps = (difference(measure, found, exact) for measure in (character_error_rate, word_f1))
            gaps = [f"{gap.mean:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})" for gap in found_gaps]
        figures = f"{character_error_rate(found):.2f} | {word_f1(found):.2f}"
        lines.append(f"| {name} | {figures} | {' | '.join(gaps)} |")
    return "\n".join(lines) + "\n"
