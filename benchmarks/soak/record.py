"""What was seen while pages were read, kept in a file so that a run that was ended can be gone on with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class Sample:
    """After so many pages: resident megabytes of the service and of all its workers, and what went before.

    `run` counts starts of the service. `pages` and `failed` count over all runs, `seconds` within one.
    """

    run: int
    pages: int
    failed: int
    seconds: float
    service_mb: float
    workers_mb: float
    worker_pids: tuple[int, ...]
    commit: str
    manifest: str

    @property
    def total_mb(self) -> float:
        """Of service and workers; memory that they share counts once."""
        return self.service_mb + self.workers_mb


class Record:
    """All samples so far, a JSON line each."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that was cut short is dropped."""
        self._path = path
        self.samples: list[Sample] = []
        lines = path.read_bytes().splitlines() if path.exists() else []
        for line in lines:
            try:
                self.samples.append(msgspec.json.decode(line, type=Sample))
            except msgspec.DecodeError:
                break
        if len(self.samples) < len(lines):
            path.write_bytes(b"".join(msgspec.json.encode(sample) + b"\n" for sample in self.samples))

    @property
    def pages(self) -> int:
        """Pages read so far, over all runs."""
        return self.samples[-1].pages if self.samples else 0

    @property
    def failed(self) -> int:
        """Pages among them that could not be read."""
        return self.samples[-1].failed if self.samples else 0

    @property
    def next_run(self) -> int:
        """The number of the run that begins now, from 1."""
        return self.samples[-1].run + 1 if self.samples else 1

    def add(self, sample: Sample) -> None:
        """Keep it, on disk as well."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(sample) + b"\n")
        self.samples.append(sample)

    def forget(self) -> None:
        """Begin anew."""
        self._path.unlink(missing_ok=True)
        self.samples.clear()


def settled(samples: Sequence[Sample], warm_up: int) -> list[list[Sample]]:
    """The samples of each run without those of its first `warm_up` pages; runs of fewer than two drop out."""
    runs: dict[int, list[Sample]] = {}
    for sample in samples:
        runs.setdefault(sample.run, []).append(sample)
    ends = {run: found[-1].pages for run, found in runs.items()}
    kept = [
        [sample for sample in found if sample.pages > ends.get(run - 1, 0) + warm_up]
        for run, found in runs.items()
    ]
    return [found for found in kept if len(found) > 1]
