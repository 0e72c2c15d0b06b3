"""Programs that are measured from outside: started, waited for, weighed with all their children, ended."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

import psutil

from benchmarks.rivals.venvs import BUILD

_START_S = 120.0
_END_S = 60.0
_LOOK_S = 1.0  # looking through all processes takes some milliseconds
_MIB = 1 << 20


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], log: str, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a program; gives its process id. What it says goes to build/bench/LOG.log."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{log}.log").open("ab") as sink:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=sink, stderr=sink)
    try:
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_END_S)
        process.kill()
        process.wait()


def until(ready: Callable[[], bool], what: str, *pids: int, within_s: float = _START_S) -> None:
    """Wait for a server made of these processes, at most `within_s` seconds.

    Raises:
        RuntimeError: it takes too long, or one of them ended.
    """
    end = time.monotonic() + within_s
    while not ready():
        if any(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in pids):
            raise RuntimeError(f"{what} ended while it started; its log is in build/bench.")
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not get ready in {within_s:.0f} s; its log is in build/bench.")
        time.sleep(0.2)


def fetched(url: str) -> bytes | None:
    """The body of an answer, None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own server's address
            return bytes(reply.read())
    except (OSError, urllib.error.URLError):
        return None


def tree(pids: Sequence[int]) -> list[psutil.Process]:
    """These processes and all below them."""
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(pid)
            found += [top, *top.children(recursive=True)]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Of these and all below them, those that have ended included."""
    total = 0.0
    for process in tree(pids):
        with suppress(psutil.NoSuchProcess):
            spent = process.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def resident_mb(pids: Sequence[int]) -> float:
    """Megabytes of these processes alone; what several share is parted among them."""
    total = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            seen = psutil.Process(pid).memory_full_info()
            total += getattr(seen, "pss", 0) or seen.rss
    return total / _MIB


@dataclass(frozen=True, slots=True)
class Spent:
    """What processes used: seconds of processors, and the most memory they held together."""

    cpu_s: float
    peak_mb: float


class Scales:
    """Weighs processes and all below them while something else happens."""

    def __init__(self, pids: Sequence[int]) -> None:
        """Not weighing yet."""
        self._pids = pids
        self._peak = 0.0
        self._done = Event()
        self._looker = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._before = cpu_seconds(self._pids)
        self._looker.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; `spent` can be asked for."""
        self._done.set()
        self._looker.join()
        self.spent = Spent(cpu_seconds(self._pids) - self._before, self._peak)

    def _look(self) -> None:
        looking = True
        while looking:
            looking = not self._done.wait(_LOOK_S)
            pids = [process.pid for process in tree(self._pids)]
            self._peak = max(self._peak, resident_mb(pids))


def our_command(module: str) -> list[str]:
    """One of our services, with the interpreter of this process."""
    return [sys.executable, "-m", module]
