"""`make bench-http`: our services and rapidocr_api under the same load, and what our own add."""

import argparse
import sys
from pathlib import Path

from PIL import Image

from benchmarks import drawn
from benchmarks.http import report
from benchmarks.http.measuring import measure
from benchmarks.quality import dataset
from benchmarks.rivals.venvs import BUILD, ROOT

_MOST_S = 60.0
_TALLEST = 2500  # pixels; larger scans measure the decoder
_EPILOG = """
examples:
  make bench-http                              receipts the project draws, 40 s for each load
  make bench-http DATA=~/pictures SECONDS=30   the receipts of a folder with a manifest.json (as bench-cpu);
                                               those taller than 2,500 pixels are left out

Six loads and a few short ones: about five minutes, and as long again as rapidocr_api takes to answer what is
under way when a load ends. Run it on an idle machine. It writes benchmarks/results/http.md.
"""


def main(arguments: list[str]) -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        "make bench-http", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="DATA: folder with pictures and a manifest.json; drawn ones without")
    parser.add_argument("--seconds", type=float, default=40, help="SECONDS: of each load, at most 60; 40")
    parser.add_argument("--results", default=str(ROOT / "benchmarks" / "results"), help="folder written to")
    asked = parser.parse_args(arguments)
    seconds = min(asked.seconds, _MOST_S)
    files = receipts(Path(asked.data) if asked.data else drawn.latin(BUILD / "drawn", receipts=8))
    if not files:
        print("There is no receipt among these pictures.", file=sys.stderr)
        return 2
    page = report.render(measure(files, seconds), len(files), seconds)
    Path(asked.results).mkdir(parents=True, exist_ok=True)
    (Path(asked.results) / "http.md").write_text(page, "utf-8")
    print("Written: http.md", file=sys.stderr)
    return 0


def receipts(folder: Path) -> list[Path]:
    """Those of a data set that are no huge scans."""
    found = [sample.picture for sample in dataset.load(folder).samples if sample.kind == "receipt"]
    return [picture for picture in found if _height(picture) <= _TALLEST]


def _height(picture: Path) -> int:
    with Image.open(picture) as opened:
        return opened.height


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
