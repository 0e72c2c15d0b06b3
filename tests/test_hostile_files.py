"""Files that mean harm, 2,000 of them, against what opens files here; `make fuzz-files` has 100,000."""

import itertools

import pytest
from pecia_ocr.cores import usable_cores

from benchmarks.hostile import documents, pictures, spoiling
from benchmarks.hostile.__main__ import MOST_GROWTH_MB, known, spoiled
from benchmarks.hostile.feeding import Kitchen

SEED = "20261121"
CASES = 2_000


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute on a machine that does nothing else
async def test_no_file_breaks_more_than_the_process_it_has_for_itself() -> None:
    """Bombs, lies, cut and spoiled files: read or refused, and nothing is left of them. The seed is above."""
    kitchen = Kitchen(usable_cores())
    try:
        await kitchen.check()
        before = kitchen.resident_mb()
        hostile = list(known())
        await kitchen.feed([*hostile, *spoiled(SEED, 0, CASES - len(hostile))])
        await kitchen.check()
        assert kitchen.found.faults == []
        assert sum(kitchen.found.outcomes.values()) == CASES
        assert kitchen.resident_mb() - before < MOST_GROWTH_MB
    finally:
        await kitchen.close()


def test_a_case_can_be_made_again() -> None:
    """By its number and seed alone; another seed makes another file."""
    seeds = pictures.seeds() | documents.seeds()
    assert spoiling.spoiled(seeds, SEED, 7) == spoiling.spoiled(seeds, SEED, 7)
    assert spoiling.spoiled(seeds, SEED, 7)[1] != spoiling.spoiled(seeds, "other", 7)[1]


def test_the_known_files_are_of_every_kind() -> None:
    """Bombs of each format, honest files cut at each kilobyte, wrong names, what PDFs are known for."""
    names = [name for name, _ in known()]
    assert len(set(names)) == len(names)
    for word in ("png", "JPEG of", "WEBP of", "BMP of", "TIFF of", "script", "launch", "huge", "annotations"):
        assert any(word in name for name in names), word
    longest = max(len(data) for data in pictures.seeds().values())
    assert len([name for name in names if name.startswith("bmp cut")]) == len(range(0, longest, 1024))


async def test_what_is_fed_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that breaks the reader itself would be found: the test above can fail."""
    kitchen = Kitchen()
    monkeypatch.setattr(kitchen, "_opened", lambda _: itertools.count())
    await kitchen.feed([("broken", b"x")])
    assert [fault[:17] for fault in kitchen.found.faults] == ["broken: TypeError"]
