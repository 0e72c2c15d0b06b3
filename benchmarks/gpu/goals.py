"""What was aimed for on a GPU, what was found, and what this machine cannot tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.gpu.found import Decode, Found, Served
from benchmarks.gpu.roofline import Roofline
from benchmarks.gpu.scale import SCALES
from benchmarks.spread import Spread, ratios, spread

FIRST_TOKEN_S = 2.0
CPU_MS = 250.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A row. `most`: the goal is an upper bound. `anywhere`: it can be shown without a GPU."""

    measure: str
    goal: float
    unit: str
    found: Spread | None
    most: bool = False
    anywhere: bool = False

    def verdict(self, *, full: bool) -> str:
        """Reached or not, by how much, and whether this run can tell."""
        if not (full or self.anywhere):
            return "not measured here"
        if self.found is None:
            return "not measured in this run"
        off = self.found.median / self.goal - 1
        if (off <= 0) if self.most else (off >= 0):
            return "reached"
        return f"not reached: {100 * abs(off):.0f} % {'more' if self.most else 'less'}"

    def row(self, *, full: bool) -> str:
        """Of the table; a small network's figures are no answer to what was aimed for, and left out."""
        shown = self.found.shown(2) if self.found and (full or self.anywhere) else "-"
        words = f"{'at most' if self.most else 'at least'} {self.goal:g} {self.unit}"
        return f"| {self.measure} | {words} | {shown} | {self.verdict(full=full)} |"


def is_full(found: Found) -> bool:
    """Whether these are figures of the published network on a GPU."""
    return found.scale == "full" and found.place is not None and found.place.on_gpu


def roofline(found: Found) -> Roofline:
    """Of this run's network on its device."""
    assert found.place is not None
    number_bytes = 2 if found.place.on_gpu else 4
    return Roofline(SCALES[found.scale].dimensions, number_bytes, found.place.gb_per_second)


def fastest(found: Found, batch: int) -> Decode | None:
    """The kind of step that is fastest with so many rows."""
    measured = [
        one for one in (found.model.decode if found.model else ()) if one.batch == batch and one.tokens_s
    ]
    return max(measured, key=lambda one: spread(one.tokens_s).median, default=None)


def of_roofline(found: Found, batch: int) -> Spread | None:
    """Percent of it that decoding reaches with so many rows."""
    if (best := fastest(found, batch)) is None:
        return None
    least = roofline(found).tokens_per_second(batch, best.context)
    return spread([100 * tokens / least for tokens in best.tokens_s])


def beside_rival(found: Found) -> Spread | None:
    """How many pages we read while `generate` reads one: the same kind of page, ours through gRPC."""
    pages = found.full_house.pages_s if found.full_house else []
    rival = found.model.rival_s if found.model else []
    rounds = min(len(pages), len(rival))
    return ratios(pages[:rounds], [1 / each for each in rival[:rounds]]) if rounds else None


def in_time(arrivals: Sequence[Served]) -> Served | None:
    """The fastest arrivals that were all answered, their first tokens in time."""
    good = [
        one
        for one in arrivals
        if one.rate and one.pages_s and not one.errors and spread(one.first_p95_s).median < FIRST_TOKEN_S
    ]
    return max(good, key=lambda one: one.rate, default=None)


def _host_ms(found: Found) -> list[float]:
    """On a CPU the model would count, which is no work of processors where there is a GPU."""
    return found.full_house.host_ms if found.full_house else []


def all_goals(found: Found) -> list[Goal]:
    """Those of a GPU; only what the processors do for a page can be shown without one."""
    assert found.place is not None
    full = is_full(found)
    rival = SCALES[found.scale].rival_tokens
    largest = SCALES[found.scale].batches[-1]
    house = found.full_house.tokens_s if found.full_house else []
    per_gb = spread([each / found.place.gb_per_second for each in house]) if house else None
    model = found.model
    cancels = spread(model.cancel_steps) if model and model.cancel_steps else None
    peak = spread([model.peak_gb]) if model and model.peak_gb else None
    served = in_time(found.arrivals)
    spent = (served.cpu_ms if served else []) if full else _host_ms(found)
    whose = "ocr service, a page" + ("" if full else f" of {rival} tokens, without the thread that computes")
    return [
        Goal("tokens/s for each GB/s of memory bandwidth, end to end", 1.6, "", per_gb),
        Goal("pages/s beside `generate`, 64 at once, base, 800 tokens", 8, "x", beside_rival(found)),
        Goal(f"of the roofline, decoding, batch {largest}", 60, "%", of_roofline(found, largest)),
        Goal("steps until a cancelled page's slot is free", 1, "step", cancels, most=True, anywhere=True),
        Goal("GPU memory at the default settings", 20, "GB", peak, most=True),
        Goal(f"CPU of the {whose}", CPU_MS, "ms", spread(spent) if spent else None, most=True, anywhere=True),
    ]
