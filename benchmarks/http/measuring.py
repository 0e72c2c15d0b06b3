"""Both servers in turn under the same load, and what gateway and gRPC add to an engine that takes no time."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import machine
from benchmarks.http.load import Order, Outcome
from benchmarks.http.servers import Server, ours, rapidocr_api
from benchmarks.processes import Scales, Spent
from benchmarks.rivals.venvs import BUILD, ROOT

CONCURRENCIES = (1, 4, 16)
_SIDE = 590  # noise of so many pixels squared is a PNG of 1 MB
_ADDED_REQUESTS = 200
_SCRIPTED_S = 10.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load brought, and what the server spent on it."""

    outcome: Outcome
    spent: Spent


@dataclass(slots=True)
class Found:
    """Server -> concurrency -> what a load brought; then our services around the scripted engine."""

    loads: dict[str, dict[int, Loaded]] = field(default_factory=dict)
    added: Outcome = field(default_factory=Outcome)
    scripted: Loaded | None = None
    load: float = field(default_factory=machine.load)


def measure(files: Sequence[Path], seconds: float) -> Found:
    """Everything."""
    found = Found()
    for start in (partial(ours, "rapid"), rapidocr_api):
        with start() as server:
            _say(f"{server.name}: {len(files)} pictures to warm up")
            send(server, files, 4, 10 * seconds, len(files))
            for concurrency in CONCURRENCIES:
                _say(f"{server.name}: {concurrency} at a time for {seconds:.0f} s")
                loads = found.loads.setdefault(server.name, {})
                loads[concurrency] = weighed(server, server.pids, files, concurrency, seconds)
    with ours("scripted") as server:
        _around_nothing(found, server)
    return found


def _around_nothing(found: Found, server: Server) -> None:
    """The scripted engine: one large picture after the other, then many small ones."""
    _say("pecia around the scripted engine")
    large, small = noise(BUILD / "noise.png", _SIDE), noise(BUILD / "speck.png", 32)
    send(server, [large], 1, 60, 20)
    found.added = send(server, [large], 1, 60, _ADDED_REQUESTS)
    gateway = server.pids[:1]
    found.scripted = weighed(server, gateway, [small], 16, _SCRIPTED_S)


def noise(path: Path, side: int) -> Path:
    """A picture that does not shrink: the same each time."""
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def weighed(
    server: Server, pids: tuple[int, ...], files: Sequence[Path], concurrency: int, seconds: float
) -> Loaded:
    """A load, and what some processes of the server spent on it."""
    with Scales(pids) as scales:
        outcome = send(server, files, concurrency, seconds)
    return Loaded(outcome, scales.spent)


def send(
    server: Server, files: Sequence[Path], concurrency: int, seconds: float, requests: int = 0
) -> Outcome:
    """A load from a process of its own, until the time is over or `requests` are sent (0 = all it can)."""
    names = [str(file) for file in files]
    order = Order(server.url, server.field, server.form, names, concurrency, seconds, requests)
    command = [sys.executable, "-m", "benchmarks.http.load", json.dumps(asdict(order))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome(**json.loads(done.stdout))


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
