"""Contenders of `make bench-cpu` as processes: dealt out to, started again where one ends, or left out."""

import sys
from pathlib import Path

import pytest

from benchmarks import drawn
from benchmarks.cpu.contenders import Contender
from benchmarks.cpu.crew import Crew
from benchmarks.cpu.measuring import RECEIPTS, Run, measure
from benchmarks.quality import dataset

READER = """
import os, sys
from benchmarks.cpu.children.protocol import Mouth, serve
def read(file, languages):
    if sys.argv[1] != "-" and not os.path.exists(sys.argv[1]):
        open(sys.argv[1], "w").close()
        os._exit(3)
    return [(os.path.basename(file), 0.5, 0, 0, 9, 9)]
serve(read, Mouth())
"""


def contender(marker: str, processes: int = 1) -> Contender:
    """Says a file's name; ends at its first picture where `marker` names a file that is not there yet."""
    command = [sys.executable, "-c", READER, marker]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    return Contender("invented", "invented", lambda: command, environment, processes)


def test_every_picture_is_read_once_and_in_order() -> None:
    """Two processes share the pile; readings stand where their pictures stood."""
    files = [Path(f"{number}.png") for number in range(7)]
    with Crew(contender("-", processes=2)) as crew:
        found = crew.read(files)
    assert [reading[0].placed.text for reading in found.readings] == [file.name for file in files]
    assert found.failed == 0
    assert found.cpu_s >= 0


def test_a_contender_that_ends_has_one_more_try(tmp_path: Path) -> None:
    """It is started again, what happened is kept, and its figures are there."""
    run = Run(dataset.load(drawn.latin(tmp_path, receipts=4)), most_timed=2)
    measure(run, [contender(str(tmp_path / "marker"))], 2)
    assert run.rounds == 2
    assert "ended with 3" in run.ended["invented"][0]
    assert len(run.passes[RECEIPTS]["invented"]) == 2
    assert len(run.pictures(RECEIPTS)) == 2
    assert len(run.readings["invented"]) == 5
    assert run.dropped == {}


def test_a_contender_that_cannot_start_is_left_out(tmp_path: Path) -> None:
    """The others are measured, and the reason is told."""
    run = Run(dataset.load(drawn.latin(tmp_path, receipts=1, pages=0)))
    broken = Contender("broken", "", lambda: [sys.executable, "-c", "raise SystemExit(4)"], {})
    measure(run, [contender("-"), broken], 9, seconds=0)
    assert run.rounds == 1
    assert run.contenders == ["invented"]
    assert "ended with 4" in run.dropped["broken"]


@pytest.mark.parametrize("most", [0, 1, 3])
def test_timed_pictures_are_large_and_small(tmp_path: Path, most: int) -> None:
    """No more than were asked for; all where nothing was asked for."""
    run = Run(dataset.load(drawn.latin(tmp_path, receipts=7, pages=0)), most_timed=most)
    assert len(run.pictures(RECEIPTS)) <= (most or 7)
    assert run.pictures(RECEIPTS)
