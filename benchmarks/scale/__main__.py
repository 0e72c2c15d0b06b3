"""`make bench-scale`: 10 million pages a day and 1,000 L4s on paper, and the wait for a slot simulated."""

import argparse
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.rivals.venvs import ROOT
from benchmarks.scale import dispatch, report
from benchmarks.scale.dispatch import Shape, Waits
from benchmarks.scale.inputs import FIXED, measured
from benchmarks.scale.measuring import measure
from benchmarks.scale.model import Fleet
from benchmarks.scale.picture import draw

_PODS = (53, 1000)
_BETWEEN = (100, 200)
_CPU_PAGE_S = 7.4  # benchmarks/results/cpu.md: core-seconds of a page
_CPU_SLOTS = 8
_EPILOG = """
examples:
  make bench-scale                 two minutes of one core: measures, multiplies, simulates
  make bench-scale ROUNDS=5

It writes benchmarks/results/scale.md and scale.png. PostgreSQL has to be installed.
"""


def main(arguments: list[str]) -> int:
    """Measure, multiply, simulate, write."""
    parser = argparse.ArgumentParser(
        "make bench-scale", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="ROUNDS: of what is measured; 5")
    parser.add_argument("--seed", type=int, default=1, help="SEED: of the simulation; 1")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder written to")
    asked = parser.parse_args(arguments)
    began = machine.load()
    found = measure(asked.rounds, _PODS, calls=300, seconds=2.0)
    inputs = [FIXED | measured(found, pods) for pods in _PODS]
    fleets = [Fleet(pods, one) for pods, one in zip(_PODS, inputs, strict=True)]
    waits = simulated(fleets, asked.seed)
    folder = Path(asked.results)
    folder.mkdir(parents=True, exist_ok=True)
    draw(waits, folder / "scale.png")
    (folder / "scale.md").write_text(report.render(fleets, inputs, found, waits, began), "utf-8")
    print("Written: scale.md, scale.png", file=sys.stderr)
    return 0


def simulated(fleets: list[Fleet], seed: int) -> dict[Shape, dict[str, Waits]]:
    """Each fleet with L4s at two loads and with pods of CPUs at one; the small one by the real code, too.

    And pods of CPUs in numbers between, where one way begins to be worse than another.
    """
    found = {}
    between = [Fleet(pods, fleets[0].inputs).clients for pods in _BETWEEN]
    for pods, clients in zip(_BETWEEN, between, strict=True):
        shape = Shape(pods, _CPU_SLOTS, clients, 0.85, _CPU_PAGE_S, seconds=150.0)
        found[shape] = _ways(shape, seed)
    for fleet in fleets:
        seconds = 300.0 if fleet.pods < 100 else 120.0
        slots, page_s = int(fleet["pages at once in an L4"]), fleet.page_s
        shapes = [
            Shape(fleet.pods, slots, fleet.clients, share, page_s, seconds=seconds) for share in (0.85, 0.95)
        ]
        shapes.append(Shape(fleet.pods, _CPU_SLOTS, fleet.clients, 0.85, _CPU_PAGE_S, seconds=seconds))
        for shape in shapes:
            print(f"{shape.pods} pods of {shape.slots}, {shape.share:.0%} busy", file=sys.stderr)
            found[shape] = _ways(shape, seed)
            if shape is shapes[0] and fleet is fleets[0]:
                found[shape]["the code itself"] = dispatch.real(shape, seed)
    return found


def _ways(shape: Shape, seed: int) -> dict[str, Waits]:
    return {
        "round robin": dispatch.round_robin(shape, seed),
        "as pecia does": dispatch.as_pecia(shape, seed),
        "fewest outstanding of all": dispatch.of_all(shape, seed),
        "two at random": dispatch.two_at_random(shape, seed),
        "credits, at their best": dispatch.credits_at_best(shape, seed),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
