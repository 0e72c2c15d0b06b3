"""How soon a cancel is felt, how soon a stopped worker has gone, and SQLite under two services."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.jobs.callers import Order
from benchmarks.jobs.drawn import document
from benchmarks.jobs.places import Place
from benchmarks.jobs.readers import Pace
from benchmarks.jobs.stage import Cast, Stage, staged

PAGE_S = 5.0
_SLOTS = 8
_LOOK_S = 0.02
_SUBMIT_EVERY_S, _READ_EVERY_S = 0.5, 0.02
_OK = 200


@dataclass(frozen=True, slots=True)
class Stops:
    """Seconds from a cancel until no page is read any more, and from SIGTERM until the worker has gone."""

    cancel_s: list[float]
    drain_s: list[float]
    statuses: list[int]


async def stops(place: Place, folder: Path, rounds: int) -> Stops:
    """Pages of five seconds, eight at once, stopped in the middle."""
    cast = Cast(workers=1, slots=_SLOTS, lease_s=3.0, pace=Pace(PAGE_S, PAGE_S, _SLOTS))
    found = Stops([], [], [])
    async with staged(place, folder, cast) as stage:
        for number in range(rounds):
            job = await _all_reading(stage, f"cancel{number}")
            began = time.monotonic()
            await stage.caller.ask("POST", f"/v1/jobs/{job}/cancel")
            await _none_reading(stage)
            found.cancel_s.append(time.monotonic() - began)
            await _all_reading(stage, f"drain{number}")
            worker = stage.workers[0]
            began = time.monotonic()
            found.statuses.append(await asyncio.to_thread(worker.end))
            found.drain_s.append(time.monotonic() - began)
            worker.start()
            await stage.ready(worker)
            await stage.caller.ask("POST", f"/v1/jobs/{await _last(stage)}/cancel")
            await _none_reading(stage)
    return found


async def _all_reading(stage: Stage, label: str) -> str:
    job = await stage.caller.submit(Order(label, 3 * _SLOTS))
    while stage.engine_switch.reading < _SLOTS:
        await asyncio.sleep(_LOOK_S)
    return job


async def _none_reading(stage: Stage) -> None:
    while stage.engine_switch.reading:
        await asyncio.sleep(_LOOK_S)


async def _last(stage: Stage) -> str:
    return str((await stage.caller.ask("GET", "/v1/jobs?limit=1")).json()["jobs"][0]["job_id"])


@dataclass(slots=True)
class Crowd:
    """Seconds of each request, and how many were not answered with 200."""

    submits: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    refused: int = 0
    waits: int = 0


async def crowded(place: Place, folder: Path, seconds: float) -> Crowd:
    """A gateway and a worker on one SQLite file: documents of 20 pages all the time, and two who look."""
    cast = Cast(workers=1, slots=_SLOTS, lease_s=30.0, pace=Pace(0.0, 0.02, _SLOTS))
    found = Crowd()
    async with staged(place, folder, cast) as stage:
        jobs: list[str] = [await stage.caller.submit(Order("first", 20))]
        end = time.monotonic() + seconds
        await asyncio.gather(
            _submitting(stage, jobs, found, end), *(_looking(stage, jobs, found, end) for _ in range(2))
        )
    logs = [(folder / name).read_text() for name in ("gateway.log", "worker0.log")]
    found.waits = sum(log.count("the job database is away") for log in logs)
    return found


async def _submitting(stage: Stage, jobs: list[str], found: Crowd, end: float) -> None:
    data, number = document(20), 0
    while time.monotonic() < end:
        number += 1
        form = Order(f"crowd{number}", 20).form
        began = time.monotonic()
        files = {"file": (f"crowd{number}.pdf", data)}
        said = await stage.http.post(f"{stage.url}/v1/jobs", data=form, files=files)
        _noted(found.submits, began, said, found)
        if said.status_code == _OK:
            jobs.append(said.json()["job_id"])
        await asyncio.sleep(_SUBMIT_EVERY_S)


async def _looking(stage: Stage, jobs: list[str], found: Crowd, end: float) -> None:
    while time.monotonic() < end:
        began = time.monotonic()
        said = await stage.http.get(f"{stage.url}/v1/jobs/{jobs[-1]}")
        _noted(found.reads, began, said, found)
        await asyncio.sleep(_READ_EVERY_S)


def _noted(times: list[float], began: float, said: httpx.Response, found: Crowd) -> None:
    times.append(time.monotonic() - began)
    found.refused += said.status_code != _OK
