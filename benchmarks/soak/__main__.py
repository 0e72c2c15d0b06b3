"""`make bench-soak`: whether the memory of the service stays flat over many pages."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks import drawn
from benchmarks.quality import dataset
from benchmarks.rivals.venvs import BUILD, ROOT
from benchmarks.soak import report
from benchmarks.soak.reading import Bounds, read
from benchmarks.soak.record import Record

_EPILOG = """
examples:
  make bench-soak                                   2,000 drawn pages, or as many as 30 minutes allow
  make bench-soak DATA=~/pictures MINUTES=10        pictures of your own (manifest.json as for bench-cpu)
  make bench-soak PAGES=10000 MINUTES=60            goes on where the last run ended, however it ended
  make bench-soak ARGS=--fresh                      forgets what was seen before

What was seen is kept in build/bench/soak.jsonl; a start of the service counts as a run of its own, and the
slope is that within runs. It writes benchmarks/results/soak.md. The machine need not be idle.
"""


def main(arguments: list[str]) -> int:
    """Read pages and write the page."""
    asked = _parser().parse_args(arguments)
    data = dataset.load(Path(asked.data) if asked.data else drawn.latin(BUILD / "soak", 12, 3))
    record = Record(Path(asked.state))
    if asked.fresh:
        record.forget()
    if record.pages:
        print(f"Going on after {record.pages} pages; --fresh begins anew.", file=sys.stderr)
    with suppress(KeyboardInterrupt):
        read(record, data, Bounds(asked.pages, 60 * asked.minutes))
    if not record.samples:
        print("Too few pages to say anything.", file=sys.stderr)
        return 2
    Path(asked.results).mkdir(parents=True, exist_ok=True)
    (Path(asked.results) / "soak.md").write_text(report.render(record.samples, data), "utf-8")
    print("Written: soak.md", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "make bench-soak", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="DATA: folder with pictures and a manifest.json; drawn ones without")
    parser.add_argument("--pages", type=int, default=2000, help="PAGES: over all runs; 2000")
    parser.add_argument("--minutes", type=float, default=30, help="MINUTES: of this run at most; 30")
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--state", default=str(BUILD / "soak.jsonl"), help="file that keeps what was seen")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder written to")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
