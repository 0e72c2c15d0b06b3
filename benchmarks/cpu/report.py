"""benchmarks/results/cpu.md: the figures, how they were made, and all that is needed to judge them."""

from benchmarks import machine
from benchmarks.cpu import tables
from benchmarks.cpu.contenders import OURS, STOCK, Contender
from benchmarks.cpu.figures import scores
from benchmarks.cpu.goals import next_goal
from benchmarks.cpu.measuring import PAGES, RECEIPTS, Run
from benchmarks.quality.report import accuracy_table, verdict
from benchmarks.rivals.venvs import pinned

PLOT = "cpu.png"
_HEAD = """# The CPU engine beside others

Written by `make bench-cpu`; run it on pictures and a machine of your own. Every contender is a program of
its own and reads the same files from disk: decoding is part of the measure. All are loaded and have read
everything once before anything is timed. Rounds: {rounds}; in each, one contender after the other reads
all pictures, and who begins changes from round to round. Figures are medians over the rounds with the least
and the largest; ratios are taken within a round. Pictures go to a contender's processes from one pile, the
largest first.
"""
_ACCURACY = """The text of the same run. CER (lower is better) decides for receipts and Indonesian pages,
word F1 (higher is better) for the others; what decides is bold. The last column has the 95 % interval of a
paired bootstrap over pictures: a difference counts when it leaves out zero. How is said in
[quality.md](../../docs/quality.md).
"""
_HONESTY = """A silent error is a line with a confidence above 0.9 that is wrong. A line is held against the
lines of the truth in its row: those it covers to four fifths it has to say exactly, from left to right;
where it covers none so far, it has to be a part of the one it overlaps most. Spaces do not count, nor what
scoring forgives. Lines that touch no truth, and pictures whose truth has no boxes, are left out. ECE is the
mean distance between confidence and share of right lines over ten groups of the same size.
"""
_FLOOR = """A pass apart from the timed ones, one process, the networks and steps wrapped. Operations
are counted in this run from both networks and the shapes they were given, padding included: multiplications
and additions of convolutions and matrix products. The classifier outside of the network (Latin: less than a
hundredth of it) is left out. The peak is measured in this run, too: the best of twenty products each of
512, 1024 and 1536 squared with a constant matrix on OpenVINO, one thread, the precision our engine uses here.
"""


def render(run: Run, contenders: list[Contender], price: float) -> str:
    """The whole page."""
    parts = [_HEAD.format(rounds=run.rounds), _who(run, contenders)]
    for group in (RECEIPTS, PAGES):
        if group in run.passes:
            parts.append(f"## {group.capitalize()}: {len(run.pictures(group))} timed\n")
            parts.append(tables.speeds(run, group, price))
    parts.append(_price(price))
    parts += ["## Goals\n", _bf16(), tables.goals(run, bf16=machine.has_bf16()), next_goal(run)]
    parts += ["## Accuracy\n", _ACCURACY, accuracy_table(scores(run), OURS), _findings(run)]
    parts += ["## Confidence\n", _HONESTY, tables.honesty(run), f"![calibration]({PLOT})\n"]
    parts += [f"`{OURS}`:\n", tables.calibration(run)]
    parts += ["## Chinese and mixed pages\n", tables.scripts(run)]
    parts += ["## Where the time goes\n", _FLOOR, _together(run)]
    for group in run.profiles:
        parts += [f"### {group.capitalize()}\n", tables.profile(run, group)]
    return "\n".join([*parts, "## Circumstances\n", _circumstances(run)])


def _who(run: Run, contenders: list[Contender]) -> str:
    who = [f"- `{contender.name}`: {contender.what}" for contender in contenders]
    out = [f"- left out, `{name}`: {why}" for name, why in run.dropped.items()]
    again = [f"- started again, `{name}`: {'; '.join(why)}" for name, why in run.ended.items()]
    return "\n".join(who + out + again) + "\n"


def _price(price: float) -> str:
    return (
        f"Money assumes {price} $ an hour for 2 cores (an AWS c7i.xlarge in us-east-1 on demand;\n"
        "PRICE changes it) that do nothing else.\n"
    )


def _bf16() -> str:
    if machine.has_bf16():
        return "The goals are for an idle machine of 2 cores with bf16, as this one.\n"
    return (
        "The goals are for an idle machine of 2 cores with bf16. This one has none, so that everybody\n"
        "computes in f32: what bf16 would add cannot be shown here.\n"
    )


def _findings(run: Run) -> str:
    if STOCK not in run.contenders:
        return ""
    found = scores(run).items()
    verdicts = (f"- {kind}: {verdict(kind, by_name[OURS], by_name[STOCK])}" for kind, by_name in found)
    return f"`{OURS}` beside `{STOCK}`, which runs the same models:\n\n" + "\n".join(verdicts) + "\n"


def _together(run: Run) -> str:
    if not run.peak:
        return "Not measured in this run.\n"
    return f"Two processes at once reach {run.peak_together:.0f} GFLOP/s together.\n"


def _circumstances(run: Run) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in run.data.kinds().items())
    names = [name for name in ("rapidocr", "rapidocr-openvino") if name in run.contenders]
    rivals = [f"{name}: {_versions(pinned(name))}" for name in names]
    return (
        machine.circumstances()
        + "".join(f"In the environment of {rival}.\n" for rival in rivals)
        + f"Data: {len(run.data.samples)} pictures ({kinds}), manifest {run.data.fingerprint}.\n"
        + f"Load of the machine when it began (0 = idle): {run.load:.1f}.\n"
    )


def _versions(pins: dict[str, str]) -> str:
    wanted = ("rapidocr", "onnxruntime", "openvino", "opencv-python-headless", "numpy")
    return ", ".join(f"{name} {pins[name]}" for name in wanted if name in pins)
