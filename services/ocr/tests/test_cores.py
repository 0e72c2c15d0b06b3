"""How many cores are kept busy, as the control groups of a container say."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from pecia_ocr.cores import usable_cores

MACHINE = len(os.sched_getaffinity(0))
_MANY = MACHINE * 100_000 + 100_000


def groups(folder: Path, files: Mapping[str, str]) -> Path:
    """Control groups that say this."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def first(quota: str, period: str) -> dict[str, str]:
    """What version 1 shows."""
    return {"cpu/cpu.cfs_quota_us": quota, "cpu/cpu.cfs_period_us": period}


@pytest.mark.parametrize(
    "files",
    [{"cpu.max": "100000 100000"}, {"cpu.max": "150000 100000"}, first("100000", "100000")],
    ids=["version 2", "a half is none", "version 1"],
)
def test_a_quota_of_one_core_leaves_one(tmp_path: Path, files: Mapping[str, str]) -> None:
    """More processes than cores only wait for each other, whichever version of control groups says so."""
    assert usable_cores(groups(tmp_path, files)) == 1


@pytest.mark.parametrize(
    "files", [{"cpu.max": "20000 100000"}, first("20000", "100000")], ids=["version 2", "version 1"]
)
def test_less_than_a_core_is_one(tmp_path: Path, files: Mapping[str, str]) -> None:
    """Nobody can work with none."""
    assert usable_cores(groups(tmp_path, files)) == 1


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000"},
        {"cpu.max": f"{_MANY} 100000"},
        {"cpu.max": "nonsense"},
        {"cpu.max": "100000 0"},
        first("-1", "100000"),
        first(str(_MANY), "100000"),
        first("100000", "0"),
    ],
    ids=["none", "max", "more", "nonsense", "no period", "-1", "more in version 1", "no period in version 1"],
)
def test_without_a_quota_all_cores_of_the_machine_count(tmp_path: Path, files: Mapping[str, str]) -> None:
    """Or with one that allows more than there are, or that cannot be understood."""
    assert usable_cores(groups(tmp_path, files)) == MACHINE
