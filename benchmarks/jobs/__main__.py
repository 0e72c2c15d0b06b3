"""`make bench-jobs`: whether jobs survive kills, faults and outages, and how fast they are handed out."""

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import machine
from benchmarks.jobs import paces, parts
from benchmarks.jobs.parts import Size
from benchmarks.jobs.sections import Kept, Section
from benchmarks.jobs.versions import stood_on
from benchmarks.rivals.venvs import BUILD, ROOT

PARTS: Mapping[str, Callable[[Size], Section]] = {
    "kills": parts.kills,
    "faults": parts.faults,
    "away": parts.away,
    "claims": paces.claims,
    "overhead": paces.overhead,
    "shares": paces.shares,
    "stops": paces.stops,
    "crowd": paces.crowd,
}
_HEAD = """# Durable jobs

Written by `make bench-jobs`. Gateway, workers and ocr service are the real ones; the engine is scripted and
notes every page it is shown. Triggers put into the database from outside write down every committed change,
a receiver notes every webhook, callers note every state they see; a checker (benchmarks/jobs/checker.py)
decides from that history, the rows and the blobs. A figure is the median of rounds (least-most).
"""
_EPILOG = """
parts:
  kills     workers, the gateway and the database server killed, a worker stopped past its leases
  faults    refused, cut, unheard, slow, asleep: at every call of SQL, blobs and RPC
  away      ocr service, blob store, database and disk space away in the middle of a job
  claims    claims from a queue of 100,000 and 1,000,000 pages
  overhead  what a page costs beside being read
  shares    limits and fair shares of tenants
  stops     cancel and drain
  crowd     a gateway and a worker on one SQLite file

examples:
  make bench-jobs                          everything: about an hour and a half
  make bench-jobs ONLY=kills ROUNDS=5      some rounds of one part; the page keeps the others as they were
  make bench-jobs ONLY=faults FAULTS=500 SEED=7
  make bench-jobs ONLY=away ARGS="--away 5"

What a part found is kept in build/bench/jobs. It writes benchmarks/results/jobs.md, and ends with 1 where a
promise was broken or a goal was not reached. PostgreSQL has to be installed; a full disk needs root.
"""


def main(arguments: list[str]) -> int:
    """Measure and write the page."""
    asked = _parser().parse_args(arguments)
    wanted = [name.strip() for name in asked.only.split(",") if name.strip()] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        raise SystemExit(f"No part is called {', '.join(sorted(unknown))}; see --help.")
    kept = Kept(Path(asked.state))
    # What is broken on purpose is said by everything that stands on it.
    logging.basicConfig(filename=Path(asked.state) / "log", level=logging.WARNING)
    for name in wanted:
        print(f"{name} (seed {asked.seed})", file=sys.stderr)
        began = time.monotonic()
        section = PARTS[name](_size(asked))
        kept.put(replace(section, seconds=time.monotonic() - began, load=machine.load()))
    sections = [found for name in PARTS if (found := kept.get(name))]
    Path(asked.results).mkdir(parents=True, exist_ok=True)
    (Path(asked.results) / "jobs.md").write_text(render(sections), "utf-8")
    print("Written: jobs.md", file=sys.stderr)
    new = [section for section in sections if section.part in wanted]
    return int(any(not figure.reached for section in new for figure in section.figures))


def render(sections: list[Section]) -> str:
    """The whole page."""
    chapters = [section.rendered() for section in sections]
    return "\n".join([_HEAD, *chapters, "## Circumstances\n", machine.circumstances() + stood_on()])


def _size(asked: argparse.Namespace) -> Size:
    size = Size(asked.seed, faults=asked.faults, away_s=asked.away, seconds=asked.seconds)
    size = replace(size, ready=tuple(int(number) for number in asked.ready.split(",")))
    return replace(size, kills=asked.rounds, rounds=min(asked.rounds, size.rounds)) if asked.rounds else size


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "make bench-jobs", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="ONLY: some of the parts, by commas; all")
    parser.add_argument("--rounds", type=int, default=0, help="ROUNDS: of kills 50, of other parts 5")
    parser.add_argument("--faults", type=int, default=3000, help="FAULTS: altogether; 3000")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="SEED: by chance")
    parser.add_argument("--away", type=float, default=20, help="seconds of an outage; 20")
    parser.add_argument("--seconds", type=float, default=10, help="SECONDS: of one measurement; 10")
    parser.add_argument("--ready", default="100000,1000000", help="pages in the queue; 100000,1000000")
    parser.add_argument("--state", default=str(BUILD / "jobs"), help="folder that keeps what was found")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder written to")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
