"""Files that mean harm, fed to what opens them: `make fuzz-files`. Stopped, it goes on where it was."""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from pecia_ocr.cores import usable_cores

from benchmarks.hostile import documents, pictures, spoiling
from benchmarks.hostile.feeding import Case, Found, Kitchen

# Cases between two looks at what is left over, which open every honest file once.
BATCH = 2_000
# MB that this process may grow over all cases: what is read is let go.
MOST_GROWTH_MB = 200


def known() -> Iterator[Case]:
    """Every file that is hostile by itself, and every honest one cut at each kilobyte."""
    seeds = pictures.seeds() | documents.seeds()
    hostile = chain(pictures.bombs(), pictures.misnamed(), documents.hostile())
    return chain(hostile, spoiling.truncated(seeds))


def spoiled(seed: str, start: int, end: int) -> Iterator[Case]:
    """Cases by number."""
    seeds = pictures.seeds() | documents.seeds()
    return (spoiling.spoiled(seeds, seed, number) for number in range(start, end))


def remembered(state: Path) -> dict[str, Any]:
    """How far an earlier run came."""
    empty = {"next": 0, "outcomes": {}, "faults": []}
    found: dict[str, Any] = json.loads(state.read_text()) if state.exists() else empty
    return found


def remember(state: Path, end: int, found: Found) -> None:
    """The next case, and what has been found."""
    state.write_text(json.dumps({"next": end, "outcomes": found.outcomes, "faults": found.faults}))


async def run(seed: str, cases: int, at_once: int, state: Path) -> int:
    """Feed them, say how it goes, remember how far it is; gives the number of faults."""
    done = remembered(state)
    kitchen = Kitchen(at_once)
    kitchen.found.outcomes.update(done["outcomes"])
    kitchen.found.faults += done["faults"]
    print(f"seed {seed}, from case {done['next']:,}, {at_once} at once", flush=True)
    print(f"{state} remembers how far it is", flush=True)
    try:
        if not done["next"]:
            await kitchen.feed(known())
        await kitchen.check()
        before, began, first = kitchen.resident_mb(), time.monotonic(), done["next"]
        for start in range(first, cases, BATCH):
            end = min(start + BATCH, cases)
            await kitchen.feed(spoiled(seed, start, end))
            await kitchen.check()
            grown = kitchen.resident_mb() - before
            assert grown < MOST_GROWTH_MB, f"grew by {grown} MB"
            remember(state, end, kitchen.found)
            pace = (end - first) / (time.monotonic() - began)
            faults, left = len(kitchen.found.faults), (cases - end) / pace / 60
            said = f"{pace:.0f} a second, {faults} faults, {grown:+} MB, {left:.0f} minutes to go"
            print(f"{end:>9,} cases, {said}", flush=True)
    finally:
        await kitchen.close()
    print(json.dumps(kitchen.found.outcomes, indent=1, sort_keys=True), *kitchen.found.faults, sep="\n")
    return len(kitchen.found.faults)


def main() -> None:
    """`make fuzz-files FILES=... SEED=...`."""
    parser = argparse.ArgumentParser("make fuzz-files", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="spoiled files, beside the known ones")
    parser.add_argument("--seed", default="20261121", help="any word; the same one makes the same files")
    parser.add_argument(
        "--at-once",
        type=int,
        default=usable_cores(),
        help="files opened side by side; more than there are cores only take longer than they may",
    )
    options = parser.parse_args()
    folder = Path("build/fuzz")
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / f"{options.seed}.json"
    raise SystemExit(bool(asyncio.run(run(options.seed, options.cases, options.at_once, state))))


if __name__ == "__main__":
    main()
