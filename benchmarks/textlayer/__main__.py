"""`python -m benchmarks.textlayer DATA`: the verdict on the text layer of every page of every PDF under DATA.

What a person says of a page stands in `DATA/pdfs/pages.json` or in this folder's `seen.json`: by the first
twelve digits of the file's sha256, a word for each page: `digital` (its text layer is right and whole),
`scan` (a picture, whatever lies under or over it) or `mixed` (part of what it says is in no text layer).
"""

import argparse
import json
from hashlib import sha256
from pathlib import Path

from benchmarks import machine
from benchmarks.textlayer import measuring, report

_HERE = Path(__file__).parent


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--most-pages", type=int, default=60, help="of one document (default 60)")
    options = parser.parse_args()
    load, said = machine.load(), seen(options.data)
    found = []
    for path in sorted(options.data.rglob("*.pdf")):
        words = said.get(sha256(path.read_bytes()).hexdigest()[:12], [])
        found += measuring.measure(path, words, options.most_pages)
    result = machine.ROOT / "benchmarks" / "results" / "textlayer.md"
    result.write_text(report.render(found, load), "utf-8")


def seen(data: Path) -> dict[str, list[str]]:
    """What people said, by file."""
    places = (_HERE / "seen.json", data / "pdfs" / "pages.json")
    said: dict[str, list[str]] = {}
    for place in places:
        said |= json.loads(place.read_text("utf-8")) if place.exists() else {}
    return said


if __name__ == "__main__":
    main()
