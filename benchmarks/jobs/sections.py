"""What each part of the benchmark found, kept in files so that parts can be measured one at a time."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.jobs.figures import Figure, table


@dataclass(frozen=True, slots=True)
class Section:
    """A part's figures, and `notes` that stand below them. Commit, load and seconds are of its run."""

    part: str
    title: str
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)
    commit: str = field(default_factory=machine.commit)
    load: float = field(default_factory=machine.load)
    seconds: float = 0.0

    def rendered(self) -> str:
        """A chapter of the page."""
        notes = "".join(f"- {note}\n" for note in self.notes)
        run = f"Commit {self.commit}, {self.seconds:.0f} s, load {self.load:.1f} at the end.\n"
        return "\n".join([f"## {self.title}\n", table(self.figures), *([notes] if notes else []), run])


class Kept:
    """Sections in a folder."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is not there."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, section: Section) -> None:
        """Over what the last run of this part found."""
        (self._folder / f"{section.part}.json").write_bytes(msgspec.json.encode(section))

    def get(self, part: str) -> Section | None:
        """None = never measured, or by a version that kept other things."""
        try:
            return msgspec.json.decode((self._folder / f"{part}.json").read_bytes(), type=Section)
        except (OSError, msgspec.DecodeError):
            return None
