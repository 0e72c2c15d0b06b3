"""`make bench-cpu`: how fast and how right our CPU engine is beside others, on the same pictures."""

import argparse
import sys
from pathlib import Path

from benchmarks import drawn, machine
from benchmarks.cpu import plot, report
from benchmarks.cpu.contenders import OURS, Contender, all_contenders
from benchmarks.cpu.measuring import Run, look_inside, measure
from benchmarks.quality import dataset
from benchmarks.quality.dataset import DataSet
from benchmarks.rivals.venvs import BUILD, ROOT

_PRICE = 0.1785
_EPILOG = """
examples:
  make bench-cpu                              the project's drawn pictures, 5 rounds
  make bench-cpu DATA=~/pictures ROUNDS=3     pictures of your own; the folder holds a manifest.json:
      [{"id": "a", "cat": "receipt", "file": "a.jpg", "gt": "a.json"}, ...]; gt is a .txt, or a .json with
      [{"box": [x0, y0, x1, y1], "text": "..."}, ...]. Kinds receipt, page and table are timed; the others
      are read once, for accuracy.
  make bench-cpu DATA=~/pictures TIMED=4      everything is read, four receipts and four pages are timed
  make bench-cpu ONLY=pecia,rapidocr KINDS=receipt

Run it on an idle machine: it uses every core. Rivals are installed under build/bench, each in a virtual
environment of its own. It writes benchmarks/results/cpu.md and cpu.png.
"""


def main(arguments: list[str]) -> int:
    """Measure and write the page."""
    asked = _parser().parse_args(arguments)
    contenders = _chosen(asked.only)
    folder = Path(asked.data) if asked.data else drawn.latin(BUILD / "drawn")
    run = Run(_of_kinds(dataset.load(folder), asked.kinds), load=machine.load(), most_timed=asked.timed)
    if not run.data.samples:
        print("There is no picture of these kinds.", file=sys.stderr)
        return 2
    if chinese := drawn.chinese(BUILD / "chinese"):
        run.script_data = dataset.load(chinese)
    else:
        print("No font with Chinese letters: those pages are left out.", file=sys.stderr)
    measure(run, contenders, asked.rounds, 60 * asked.minutes)
    if OURS in run.readings:
        look_inside(run)
    _write(run, report.render(run, contenders, asked.price), Path(asked.results))
    return 0


def _write(run: Run, page: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.md").write_text(page, "utf-8")
    if not plot.draw(run, folder / report.PLOT):
        print("matplotlib is not installed: no plot. `make bench-cpu` installs it.", file=sys.stderr)
    print(f"Written: {folder.name}/cpu.md", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "make bench-cpu", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    names = ", ".join(contender.name for contender in all_contenders())
    parser.add_argument("--data", help="DATA: folder with pictures and a manifest.json; drawn ones without")
    parser.add_argument("--rounds", type=int, default=5, help="ROUNDS: how often each contender is timed; 5")
    parser.add_argument("--only", default="", help=f"ONLY: some of {names}; ours is always there")
    parser.add_argument("--kinds", default="", help="KINDS: some of the manifest's kinds, by commas; all")
    parser.add_argument("--timed", type=int, default=0, help="TIMED: receipts, and pages, timed at most; all")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="MINUTES: after these no further round begins; no bound"
    )
    parser.add_argument("--price", type=float, default=_PRICE, help=f"PRICE: $ an hour for 2 cores; {_PRICE}")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder written to")
    return parser


def _chosen(only: str) -> list[Contender]:
    everyone = all_contenders()
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    if unknown := wanted - {contender.name for contender in everyone}:
        raise SystemExit(f"Nobody is called {', '.join(sorted(unknown))}; see --help.")
    return [contender for contender in everyone if not wanted or contender.name in {*wanted, OURS}]


def _of_kinds(data: DataSet, kinds: str) -> DataSet:
    wanted = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    kept = tuple(sample for sample in data.samples if not wanted or sample.kind in wanted)
    return DataSet(kept, data.fingerprint)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
