"""docs/quality.md: the figures, and all that is needed to judge them."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.quality.dataset import DataSet, decided_by_characters
from benchmarks.quality.readers import STOCK
from benchmarks.quality.scoring import Difference, Score, character_error_rate, difference, word_f1

# kind -> reader -> one score a picture, in the same order for all readers.
Results = Mapping[str, Mapping[str, Sequence[Score]]]

_PACKAGES = ("rapidocr", "onnxruntime", "opencv-python-headless", "numpy", "pillow")
OURS = "rapid"
_FEWEST = 3  # pictures; resampling fewer says nothing
_HEAD = """# Quality of the engines

Written by `make quality DATA=<folder>`; run it on pictures of your own. All readers get the same decoded
pixels and are scored in the same way: Unicode NFKC, plain quotes and dashes, single spaces, upper case;
rows from the boxes by one rule for all. Percentages are over the whole set of a kind.

CER (character error rate, lower is better) decides for receipts and Indonesian pages; word F1 (higher is
better) decides for the other kinds, where CER measures the order of rows and columns. The last column
is `rapid` minus the reader on the line, in the deciding measure, with the 95 % interval of a paired
bootstrap over pictures ({rounds} rounds): a difference counts when the interval leaves out zero.
"""


def render(results: Results, data: DataSet, root: Path) -> str:
    """The whole page."""
    parts = [
        _HEAD.format(rounds="2,000"),
        accuracy_table(results, OURS),
        _findings(results),
        _circumstances(data, root),
    ]
    return "\n".join(parts)


def worse_than_stock(results: Results) -> list[str]:
    """The kinds in which `rapid` is worse than stock RapidOCR by more than chance."""
    return [kind for kind, found in results.items() if verdict(kind, found[OURS], found[STOCK]) == "worse"]


def _against(kind: str, ours: Sequence[Score], theirs: Sequence[Score]) -> Difference:
    return difference(character_error_rate if decided_by_characters(kind) else word_f1, ours, theirs)


def verdict(kind: str, ours: Sequence[Score], theirs: Sequence[Score]) -> str:
    """Whether ours is better or worse than theirs in the measure that decides for this kind."""
    if len(ours) < _FEWEST:
        return "too few pictures to tell"
    found = _against(kind, ours, theirs)
    low, high = (found.low, found.high) if decided_by_characters(kind) else (-found.high, -found.low)
    if high < 0:
        return "better"
    return "worse" if low > 0 else "no difference shown"


def accuracy_table(results: Results, ours: str) -> str:
    """Both measures of every reader, the one that decides in bold; `ours` is compared with the others."""
    lines = [
        f"| kind | pictures | reader | CER % | word F1 % | `{ours}` minus it |",
        "|---|---|---|---|---|---|",
    ]
    for kind, by_reader in results.items():
        for reader, scores in by_reader.items():
            error, shared = f"{character_error_rate(scores):.2f}", f"{word_f1(scores):.2f}"
            if decided_by_characters(kind):
                error = f"**{error}**"
            else:
                shared = f"**{shared}**"
            gap = "" if reader == ours else _gap(_against(kind, by_reader[ours], scores))
            lines.append(f"| {kind} | {len(scores)} | {reader} | {error} | {shared} | {gap} |")
    return "\n".join(lines) + "\n"


def _gap(found: Difference) -> str:
    return f"{found.mean:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def _findings(results: Results) -> str:
    """What the table says about `rapid` and the models' own pipeline."""
    verdicts = (f"- {kind}: {verdict(kind, found[OURS], found[STOCK])}" for kind, found in results.items())
    return f"`{OURS}` beside {STOCK}, which runs the same models:\n\n" + "\n".join(verdicts) + "\n"


def _circumstances(data: DataSet, root: Path) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    tesseract = _said("tesseract", "--version").removeprefix("tesseract ")
    commit = _said("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12")
    kinds = ", ".join(f"{count} {kind}" for kind, count in data.kinds().items())
    return (
        f"Commit {commit}. Python {platform.python_version()}, {packages}, tesseract {tesseract} (ind+eng).\n"
        f"Data: {len(data.samples)} pictures ({kinds}), manifest {data.fingerprint}.\n"
    )


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()
