"""Pictures with the text they bear, from a folder with a manifest.json.

The manifest is a list of objects: `id`, `cat` (the kind), `file` (a picture), and `gt`: a .txt with
the text, or a .json with [{"box": [x0, y0, x1, y1], "text": ...}]. Entries without `gt` are skipped.
"""

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks.quality.scoring import Placed, in_rows

# What decides for a kind. Order of rows is not what pages and turned pictures are tested for.
_BY_CHARACTERS = {"receipt", "indonesian"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture; `lines` is the truth with its boxes, where it is known that precisely."""

    name: str
    kind: str
    picture: Path
    truth: str
    lines: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class DataSet:
    """All pictures of a folder; `fingerprint` tells its manifest from others."""

    samples: tuple[Sample, ...]
    fingerprint: str

    def kinds(self) -> dict[str, int]:
        """How many pictures there are of each kind."""
        return dict(sorted(Counter(sample.kind for sample in self.samples).items()))


def decided_by_characters(kind: str) -> bool:
    """Whether character errors decide for this kind, or words."""
    return kind in _BY_CHARACTERS


def load(folder: Path) -> DataSet:
    """Read the manifest and every truth."""
    manifest = (folder / "manifest.json").read_bytes()
    entries = [entry for entry in json.loads(manifest) if entry["gt"]]
    samples = tuple(_sample(folder, entry) for entry in entries)
    return DataSet(samples, sha256(manifest).hexdigest()[:12])


def _sample(folder: Path, entry: dict[str, str]) -> Sample:
    path, picture = folder / entry["gt"], folder / entry["file"]
    text = path.read_text("utf-8", "replace")
    if path.suffix == ".txt":
        return Sample(entry["id"], entry["cat"], picture, text)
    lines = tuple(Placed(piece["text"], *piece["box"]) for piece in json.loads(text))
    return Sample(entry["id"], entry["cat"], picture, in_rows(lines), lines)
