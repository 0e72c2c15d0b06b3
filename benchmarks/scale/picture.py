"""Waits by way of choosing, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.scale.dispatch import Shape, Waits

_PARTS = [number / 1000 for number in range(500, 1000)]
_LEAST_S = 1e-3


def draw(found: Mapping[Shape, Mapping[str, Waits]], path: Path) -> None:
    """A panel a shape: seconds waited by share of pages."""
    figure = Figure(figsize=(13, 7))
    panels = figure.subplots(2, len(found) // 2, sharey=True, squeeze=False)
    for panel, (shape, ways) in zip(panels.flat, found.items(), strict=True):
        for name, waits in ways.items():
            ordered = sorted(waits.seconds)
            seconds = [max(ordered[int(part * len(ordered))], _LEAST_S) for part in _PARTS]
            panel.plot([100 * part for part in _PARTS], seconds, label=name)
        panel.set_yscale("log")
        panel.set_title(
            f"{shape.pods} pods of {shape.slots}, {shape.gateways} clients, {shape.share:.0%}", fontsize=9
        )
        panel.set_xlabel("% of pages", fontsize=8)
    panels[0, 0].set_ylabel("seconds waited for a slot")
    panels[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
