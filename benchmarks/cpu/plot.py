"""benchmarks/results/cpu.png: speed, and confidence against correctness. Needs matplotlib."""

from pathlib import Path
from typing import Any

from benchmarks.cpu import figures
from benchmarks.cpu.calibration import expected_error
from benchmarks.cpu.measuring import PAGES, RECEIPTS, Run

_SIZE, _DPI = (11, 4), 80


def draw(run: Run, path: Path) -> bool:
    """Write the picture; False where matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only bench targets install it
        from matplotlib.figure import Figure  # noqa: PLC0415 - same
    except ImportError:
        return False
    mpl.use("Agg")
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    speeds, calibration = figure.subplots(1, 2)
    _speeds(run, speeds)
    _calibration(run, calibration)
    figure.savefig(path)
    return True


def _speeds(run: Run, axes: Any) -> None:  # noqa: ANN401 - drawn on by an optional library
    names = run.contenders
    for offset, group in ((-0.2, RECEIPTS), (0.2, PAGES)):
        found = [(place, figures.speed(run, group, name)) for place, name in enumerate(names)]
        known = [(place + offset, speed) for place, speed in found if speed]
        if known:
            errors = [[s.median - s.low for _, s in known], [s.high - s.median for _, s in known]]
            axes.barh([p for p, _ in known], [s.median for _, s in known], 0.4, xerr=errors, label=group)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("pictures a second, median and spread")
    axes.legend()


def _calibration(run: Run, axes: Any) -> None:  # noqa: ANN401 - drawn on by an optional library
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for name, groups in figures.calibrations(run).items():
        label = f"{name}, ECE {expected_error(groups):.3f}"
        axes.plot([g.confidence for g in groups], [g.right for g in groups], marker="o", label=label)
    axes.set_xlabel("mean confidence of a tenth of the lines")
    axes.set_ylabel("share of right lines")
    axes.legend(fontsize="small")
