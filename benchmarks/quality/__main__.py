"""`python -m benchmarks.quality DATA`: read every picture with every engine, write docs/quality.md."""

import sys
from pathlib import Path

from pecia_ocr.decoding import decode

from benchmarks.quality import dataset, readers, report
from benchmarks.quality.scoring import Score, in_rows, score

ROOT = Path(__file__).resolve().parents[2]


def main(folder: Path) -> int:
    """Exit code 1 where `rapid` is worse than stock RapidOCR by more than chance."""
    data = dataset.load(folder)
    results = measure(data)
    (ROOT / "docs" / "quality.md").write_text(report.render(results, data, ROOT), "utf-8")
    if worse := report.worse_than_stock(results):
        print(f"rapid is worse than {readers.STOCK} on: {', '.join(worse)}")
        return 1
    return 0


def measure(data: dataset.DataSet) -> dict[str, dict[str, list[Score]]]:
    """Kind -> reader -> scores."""
    everyone = readers.all_readers()
    results: dict[str, dict[str, list[Score]]] = {
        kind: {name: [] for name in everyone} for kind in data.kinds()
    }
    for sample in data.samples:
        pixels = decode(sample.picture.read_bytes())
        scores = {name: score(sample.truth, in_rows(read(pixels))) for name, read in everyone.items()}
        for name, found in scores.items():
            results[sample.kind][name].append(found)
        edits = ", ".join(f"{name} {found.edits}" for name, found in scores.items())
        print(f"{sample.name}: {scores['rapid'].characters} characters; wrong: {edits}", flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
