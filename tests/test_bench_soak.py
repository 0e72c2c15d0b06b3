"""`make bench-soak`: its slope on known series, going on after an end, and a few pages for real."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import drawn
from benchmarks.quality import dataset
from benchmarks.soak import mixture, report
from benchmarks.soak.record import Record, Sample, settled
from benchmarks.soak.slope import slope

ROOT = Path(__file__).parents[1]


def wandering(points: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Noise whose neighbours are alike, as memory is."""
    dice = np.random.default_rng(seed)
    noise = np.zeros(points)
    for index in range(1, points):
        noise[index] = 0.7 * noise[index - 1] + dice.normal(0, 5)
    return noise


def test_a_known_growth_is_found() -> None:
    """Twenty megabytes for 1,000 pages, in two starts of different levels: found, and told from zero."""
    x = np.arange(0, 5, 0.05)
    series = [(x, 20 * x + 900 + wandering(100, 1)), (x + 5, 20 * x + 700 + wandering(100, 2))]
    found = slope([(list(xs), list(ys)) for xs, ys in series])
    assert found
    assert 0 < found.low < 20 < found.high
    assert found.mean == pytest.approx(20, abs=4)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of forty flat series with waves, nine of ten intervals or so hold zero."""
    x = list(np.arange(0, 5, 0.05))
    found = [slope([(x, list(wandering(100, seed)))]) for seed in range(40)]
    assert sum(1 for each in found if each and each.low <= 0 <= each.high) >= 32


def test_a_few_points_prove_nothing() -> None:
    """No slope is better than one from nothing."""
    assert slope([]) is None
    assert slope([([1, 2, 3], [1, 2, 3])]) is None


def sample(run: int, pages: int, workers_mb: float = 1500.0) -> Sample:
    """After so many pages; each start has workers of its own."""
    return Sample(run, pages, 0, 10.0 * pages, 100.0, workers_mb, (run, -run), "abc", "def")


def test_a_record_is_gone_on_with(tmp_path: Path) -> None:
    """A line that was cut short by an end is dropped; the next start counts on from the last whole one."""
    record = Record(tmp_path / "state")
    for pages in (10, 20):
        record.add(sample(1, pages))
    with (tmp_path / "state").open("ab") as file:
        file.write(b'{"run":1,"pa')
    again = Record(tmp_path / "state")
    assert (again.pages, again.next_run) == (20, 2)
    again.add(sample(2, 30))
    assert [found.pages for found in Record(tmp_path / "state").samples] == [10, 20, 30]
    again.forget()
    assert Record(tmp_path / "state").pages == 0


def test_every_start_has_its_warm_up() -> None:
    """The first pages of each start are left out, wherever it began."""
    samples = [sample(1 + pages // 300, pages) for pages in range(10, 600, 10)]
    kept = settled(samples, 200)
    assert [found[0].pages for found in kept] == [210, 500]


def test_the_page_has_every_part(tmp_path: Path) -> None:
    """Peak, slope and replaced workers: with the figures that were put in."""
    data = dataset.load(drawn.latin(tmp_path, 1, 1))
    samples = [sample(1, pages, 1500 + pages / 10) for pages in range(10, 1001, 10)]
    page = report.render(samples, data)
    assert "peak: **1700 MB** after 1000 pages; goal: at most 2500 MB, reached" in page
    assert "slope: **+100.0 MB for 1,000 pages** (95 %: +100.0 to +100.0); grows" in page
    assert "workers replaced because they had grown: 0" in page
    assert "too few pages to tell" in report.render(samples[:3], data)
    assert str(tmp_path) not in page


def test_no_two_pages_are_alike(tmp_path: Path) -> None:
    """The mixture varies from page to page and is the same each time."""
    data = dataset.load(drawn.latin(tmp_path, 2, 0))
    pages = [mixture.page(data, number) for number in range(2, 12)]
    assert len(set(pages)) == len(pages)
    assert mixture.page(data, 7) == pages[5]
    assert mixture.page(data, 0) == data.samples[0].picture.read_bytes()


@pytest.mark.engine
@pytest.mark.slow
def test_ten_pages_are_read_and_weighed(tmp_path: Path) -> None:
    """The service starts, reads, is weighed and ends; its page is written."""
    folder = drawn.latin(tmp_path / "data", 2, 0)
    command = [sys.executable, "-m", "benchmarks.soak", f"--data={folder}", "--pages=10"]
    command += [f"--state={tmp_path / 'state'}", f"--results={tmp_path}"]
    subprocess.run(command, cwd=ROOT, timeout=240, check=True)
    page = (tmp_path / "soak.md").read_text()
    assert "pages: 10, of which 0 failed, in 1 starts" in page
    assert str(tmp_path) not in page
