"""`python -m benchmarks.handover DATA`: what a page costs to hand over, and what it loses."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks import drawn, machine
from benchmarks.handover import accuracy, costs, report
from benchmarks.handover.encodings import all_encodings
from benchmarks.quality.readers import ours

_RESULT = machine.ROOT / "benchmarks" / "results" / "handover.md"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a folder with manifest.json, and PDFs under pdfs/")
    parser.add_argument("--rounds", type=int, default=7, help="of every encoding (default 7)")
    parser.add_argument("--most-pixels", type=int, default=5_000_000, help="larger pictures are not read")
    options = parser.parse_args()
    load, encodings = machine.load(), all_encodings()
    found = costs.documents(options.data)
    pictures, drawing_ms = costs.pages(found)
    spent = asyncio.run(costs.measure(encodings, pictures, options.rounds))
    pool = asyncio.run(costs.through_the_pool(found, options.rounds))
    with tempfile.TemporaryDirectory() as folder:
        folders = [drawn.latin(Path(folder)), options.data]
        scores = accuracy.measure(ours(), encodings, folders, options.most_pixels)
    _RESULT.write_text(report.render(spent, drawing_ms, pool, scores, load), "utf-8")


if __name__ == "__main__":
    main()
