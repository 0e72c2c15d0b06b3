"""`make bench-jobs`: its arithmetic on known figures, parts kept apart, and what it says of itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.jobs.__main__ import PARTS, main, render
from benchmarks.jobs.figures import Figure, count, table, tail_ms
from benchmarks.jobs.sections import Kept, Section
from benchmarks.jobs.sharing import jain
from benchmarks.spread import spread

ROOT = Path(__file__).parents[1]


def test_the_worst_round_decides() -> None:
    """A goal is reached when every round kept to it, from below or from above."""
    assert Figure("a", spread([1.0, 2.0]), "s", 2.0).reached
    assert not Figure("a", spread([1.0, 2.1]), "s", 2.0).reached
    assert not Figure("a", spread([900.0, 1100.0]), "", 1000.0, least=True).reached
    assert Figure("a", spread([1e9])).reached
    assert not count("pages lost", 1, 0).reached


def test_the_tail_is_the_99th_percentile() -> None:
    """One slow claim in a hundred is seen, in milliseconds, round by round."""
    quick, slow = [0.001] * 100, [0.001] * 98 + [0.05] * 2
    figure = tail_ms("claim", [quick, slow], 10)
    assert (figure.found.low, figure.found.high) == (1.0, 50.0)
    assert "**not reached**" in table([figure])


def test_jain() -> None:
    """1.0 where all have the same, 1/n where one has all."""
    assert jain([5, 5, 5]) == pytest.approx(1.0)
    assert jain([9, 0, 0]) == pytest.approx(1 / 3)


def test_parts_are_kept_apart(tmp_path: Path) -> None:
    """A part that is measured again leaves the others; what cannot be read is measured anew."""
    kept = Kept(tmp_path)
    kept.put(Section("kills", "Kills", [count("pages lost", 0, 0)], ["a note"]))
    kept.put(Section("stops", "Stops", [count("seconds", 3)]))
    kept.put(Section("stops", "Stops", [count("seconds", 2)]))
    (tmp_path / "crowd.json").write_text("{")
    assert kept.get("crowd") is None
    sections = [section for part in PARTS if (section := kept.get(part))]
    assert [section.figures[0].found.median for section in sections] == [0, 2]
    page = render(sections)
    assert "| pages lost | 0 | at most 0 | reached |" in page
    assert "- a note" in page


def test_a_wrong_part_is_refused(tmp_path: Path) -> None:
    """A name that is no part is said before anything begins."""
    with pytest.raises(SystemExit, match="No part is called kill;"):
        main(["--only", "kill", "--state", str(tmp_path)])


def test_help_teaches() -> None:
    """--help names every part, and shows how to run one alone."""
    command = [sys.executable, "-m", "benchmarks.jobs", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {part} " in said for part in PARTS)
    assert "make bench-jobs ONLY=kills" in said
