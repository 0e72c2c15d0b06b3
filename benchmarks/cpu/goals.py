"""What was aimed for, what was found, and why a row is missed or cannot be shown."""

from dataclasses import dataclass

from benchmarks import machine
from benchmarks.cpu import contenders as who
from benchmarks.cpu.figures import core_seconds, fraction_of_floor, speed_up
from benchmarks.cpu.measuring import PAGES, RECEIPTS, Run
from benchmarks.spread import Spread


@dataclass(frozen=True, slots=True)
class Goal:
    """A row: against whom, in which measure, the least that was aimed for."""

    against: str
    measure: str
    least: float
    found: Spread | None
    needs_bf16: bool = True
    unit: str = "x"

    def verdict(self, *, bf16: bool) -> str:
        """Reached or not, by how much, and whether this machine can tell."""
        if self.found is None:
            return "not measured in this run"
        missing = 100 * (1 - self.found.median / self.least)
        if missing <= 0:
            return "reached"
        if self.needs_bf16 and not bf16:
            return f"cannot be shown here: {missing:.0f} % less, but this processor has no bf16"
        return f"not reached: {missing:.0f} % less"

    def row(self, *, bf16: bool) -> str:
        """Of the table."""
        found = f"{self.found.shown()} {self.unit}" if self.found else ""
        verdict = self.verdict(bf16=bf16)
        return f"| {self.against} | {self.measure} | {self.least:g} {self.unit} | {found} | {verdict} |"


def all_goals(run: Run, cores: int) -> list[Goal]:
    """Those that this run can speak of; servers have a page of their own."""
    ours_held = who.OURS if machine.ends_at_avx2() else who.OURS_AVX2
    held = speed_up(run, RECEIPTS, who.STOCK, ours=ours_held)
    share = fraction_of_floor(run, RECEIPTS, cores)
    return [
        Goal("RapidOCR, its defaults", "receipts a second", 5, speed_up(run, RECEIPTS, who.STOCK)),
        Goal("RapidOCR on OpenVINO", "receipts a second", 2.5, speed_up(run, RECEIPTS, who.STOCK_OPENVINO)),
        Goal("RapidOCR, its defaults", "full pages a second", 3.5, speed_up(run, PAGES, who.STOCK)),
        Goal("Tesseract, a process a core", "receipts a second", 1, speed_up(run, RECEIPTS, who.TESSERACT)),
        Goal("Tesseract, a process a core", "full pages a second", 1, speed_up(run, PAGES, who.TESSERACT)),
        Goal(
            "the floor of these networks", f"receipts, {run.peak.get('precision', '')}", 65, share, unit="%"
        ),
        Goal(
            "RapidOCR, its defaults",
            "receipts a second, ours held to f32 and AVX2",
            2.2,
            held,
            needs_bf16=False,
        ),
    ]


def next_goal(run: Run) -> str:
    """The sentence on core-seconds a page."""
    found = core_seconds(run, PAGES, who.OURS)
    if found is None:
        return ""
    word = "reached" if found.median <= 0.8 else "not reached"
    return (
        f"The goal after these is 0.8 core-seconds a page, what Indra OCR publishes (32 cores, 44 pages a "
        f"second): {found.shown()} here, {word}.\n"
    )
