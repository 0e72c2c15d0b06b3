"""For tests of jobs: seeds that can be given again, and places that may be missing on a machine."""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pecia_jobs.testing import NoPostgres

from benchmarks.jobs.outages import NoMount, small_disk
from benchmarks.jobs.places import Place, postgres_place


def new_seed() -> int:
    """From JOBS_SEED, else by chance; printed, so that what failed can be tried again."""
    seed = int(os.environ.get("JOBS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"JOBS_SEED={seed}")
    return seed


@contextmanager
def postgres_or_skip() -> Iterator[Place]:
    """PostgreSQL and a bucket; without it the test says that it did not run, which fails where CI is set."""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(postgres_place())
        except NoPostgres as missing:
            _missing(str(missing), fatal=bool(os.environ.get("CI")))
        else:
            yield place


@contextmanager
def disk_or_skip(folder: Path) -> Iterator[Path]:
    """A small disk; only root can mount one, and not in every container."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(folder))
        except NoMount as missing:
            _missing(str(missing), fatal=False)
        else:
            yield disk


def _missing(what: str, *, fatal: bool) -> None:
    if fatal:
        pytest.fail(what)
    pytest.skip(what)
