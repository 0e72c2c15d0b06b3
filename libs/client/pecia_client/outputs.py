"""Where the texts of many files go: one after the other on a stream, or one file each in a folder."""

import json
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO

from pecia_core.formats import document_csv
from pecia_core.vocabulary import TaskType

from pecia_client.reading import Reading


class Format(StrEnum):
    """What is written for a file that was read."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"

    @property
    def suffix(self) -> str:
        """Of a file in this format."""
        return {"text": ".txt", "markdown": ".md", "json": ".json", "csv": ".csv"}[self]

    @property
    def task(self) -> TaskType:
        """What to ask for where the caller does not say: only Markdown has tables."""
        return TaskType.MARKDOWN if self in {Format.MARKDOWN, Format.CSV} else TaskType.FREE_OCR


def as_json(reading: Reading, name: str, *, indent: int | None = None) -> str:
    """Everything known about a file: its text, engine, timings, pages, blocks, lines, words."""
    said = {"file": name, "text": reading.text, "request_id": reading.request_id, **reading.raw}
    return json.dumps(said, ensure_ascii=False, indent=indent)


def written(form: Format, reading: Reading, name: str, *, indent: int | None = None) -> str:
    """A file's result in this form. CSV is its tables; no cell of them is a formula."""
    if form is Format.CSV:
        return document_csv(reading.document)
    return as_json(reading, name, indent=indent) if form is Format.JSON else reading.text


class StreamOutput:
    """Writes to a stream, file by file: with headings if there are several; JSON line by line."""

    def __init__(self, stream: IO[str], form: Format, *, several: bool) -> None:
        """Remember where and how."""
        self._stream = stream
        self._form = form
        self._headings = several and form is not Format.JSON

    def write(self, index: int, name: str, reading: Reading) -> None:
        """One file's result."""
        heading = f"==> {name} <==\n" if self._headings else ""
        body = written(self._form, reading, name)
        gap = "\n" if self._headings and index else ""
        self._stream.write(f"{gap}{heading}{body}\n")
        self._stream.flush()


class FolderOutput:
    """Writes one file per input, named after it; inputs of one name keep their suffix to stay apart."""

    def __init__(self, folder: Path, form: Format, names: Sequence[str]) -> None:
        """Make the folder and settle all names at once, so that order does not matter."""
        folder.mkdir(parents=True, exist_ok=True)
        self._form = form
        self._paths = [folder / name for name in settled_names(names, form.suffix)]

    def write(self, index: int, name: str, reading: Reading) -> None:
        """One file's result; a half-written file never stands under its final name."""
        path = self._paths[index]
        body = written(self._form, reading, name, indent=2)
        draft = path.with_name(path.name + ".part")
        draft.write_text(body + "\n", encoding="utf-8")
        draft.replace(path)


def settled_names(names: Sequence[str], suffix: str) -> list[str]:
    """receipt.png -> receipt.txt; a.png and a.jpg -> a.png.txt and a.jpg.txt; again the same: a number."""
    stems = Counter(Path(name).stem for name in names)
    taken: Counter[str] = Counter()
    result = []
    for name in names:
        path = Path(name)
        base = path.stem if stems[path.stem] == 1 else path.name
        taken[base] += 1
        number = f"-{taken[base]}" if taken[base] > 1 else ""
        result.append(f"{base}{number}{suffix}")
    return result
