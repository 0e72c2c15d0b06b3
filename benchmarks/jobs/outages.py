"""What a job stands on is taken away for some seconds while it runs, and put back: it goes on by itself."""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs.callers import Order
from benchmarks.jobs.stage import Stage

_LOOK_S = 0.05
_MIB = 1 << 20


class NoMount(Exception):
    """This user may not mount: a full disk cannot be made."""


@dataclass(frozen=True, slots=True)
class Outage:
    """`begin` takes something away, `end` puts it back."""

    name: str
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Survived:
    """Pages that had ended before, and more when it was over; then seconds until the job ended."""

    name: str
    away_s: float
    pages: int
    done_before: int
    done_during: int
    seconds_after: float
    state: str
    job: str


async def survived(stage: Stage, outage: Outage, order: Order, away_s: float) -> Survived:
    """Submit, wait until some pages are done, take away, put back, wait for the end."""
    job = await stage.caller.submit(order)
    before = await _some_done(stage, job, order.pages // 5)
    await outage.begin()
    try:
        await asyncio.sleep(away_s)
    finally:
        await outage.end()
    back = asyncio.get_running_loop().time()
    after = await _some_done(stage, job, before)
    state = await stage.caller.watch(job)
    seconds = asyncio.get_running_loop().time() - back
    return Survived(outage.name, away_s, order.pages, before, after - before, seconds, state, job)


async def _some_done(stage: Stage, job: str, wanted: int) -> int:
    while True:
        said = (await stage.caller.ask("GET", f"/v1/jobs/{job}")).json()
        if int(said["processed_pages"]) >= wanted:
            return int(said["processed_pages"])
        await asyncio.sleep(_LOOK_S)


def engine_away(stage: Stage) -> Outage:
    """The ocr service."""

    async def back() -> None:
        stage.engine_switch.on()
        await stage.engine_switch.ready()

    return Outage("ocr service", stage.engine_switch.off, back)


def database_away(stage: Stage) -> Outage:
    """The database server, where there is one."""
    server = stage.place.server
    assert server is not None
    return Outage("database", lambda: asyncio.to_thread(server.kill), lambda: asyncio.to_thread(server.start))


def folder_away(stage: Stage) -> Outage:
    """The blob store: its folder is not there, as when a disk is not mounted."""
    folder = Path(stage.place.blobs.url)
    hidden = folder.with_name(folder.name + ".away")

    async def begin() -> None:
        await asyncio.to_thread(folder.rename, hidden)

    async def end() -> None:
        await asyncio.to_thread(_put_back, hidden, folder)

    return Outage("blob store", begin, end)


def disk_full(disk: Path) -> Outage:
    """The disk that holds the blobs and the database has not a byte left."""
    ballast = disk / "ballast"

    async def begin() -> None:
        await asyncio.to_thread(_fill, ballast)

    async def end() -> None:
        await asyncio.to_thread(ballast.unlink)

    return Outage("disk full", begin, end)


def _put_back(hidden: Path, folder: Path) -> None:
    if folder.exists():  # somebody made an empty one meanwhile, or wrote into it
        shutil.copytree(folder, hidden, dirs_exist_ok=True)
        shutil.rmtree(folder)
    hidden.rename(folder)


def _fill(path: Path) -> None:
    """Whole MiB first, then single blocks, until nothing fits."""
    with path.open("wb", buffering=0) as file:
        for piece in (b"\0" * _MIB, b"\0" * 4096, b"\0"):
            try:
                while True:
                    file.write(piece)
            except OSError:
                continue


@contextmanager
def small_disk(folder: Path, mebibytes: int = 64) -> Iterator[Path]:
    """A file system of its own that can be filled without harm.

    Raises:
        NoMount: only root may mount, and not in every container.
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        raise NoMount("A small disk cannot be mounted here; root can, where a container may mount.")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
