"""What happened while jobs ran, seen from outside: by triggers of the database, callers and the engine."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec


class Kind(StrEnum):
    """What an event tells. Those of the first group are committed changes, written by triggers."""

    CLAIMED = "claimed"  # page and token: somebody holds it now
    FREED = "freed"  # a held page is to be had again
    RECORDED = "recorded"  # page: done
    GIVEN_UP = "given_up"  # page: failed
    CANCELLED = "cancelled"
    REOPENED = "reopened"  # a page that had ended is asked for again
    JOB = "job"  # detail: the job's new state
    ANNOUNCED = "announced"  # token: id of a delivery, detail: its kind

    SUBMITTED = "submitted"  # page: pages asked for, detail: where the webhook goes
    SEEN = "seen"  # a caller looked; detail: the state, page: pages that had ended
    READ = "read"  # an engine was shown the page; detail: what it said
    WEBHOOK = "webhook"  # token: webhook-id
    KILLED = "killed"  # worker: who, detail: tokens it held, by commas, token: its name in the database
    STARTED = "started"  # worker: who


@dataclass(frozen=True, slots=True)
class Event:
    """`at` = seconds since 1970; page -1 = the whole job."""

    at: float
    kind: Kind
    job: str = ""
    page: int = -1
    token: str = ""
    worker: str = ""
    detail: str = ""


class Recorder:
    """Appends events to a file, a JSON line each, whole even where several processes write to it."""

    def __init__(self, path: Path) -> None:
        """Open or make it."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, event: Event) -> None:
        """Write one line, at once."""
        os.write(self._file, msgspec.json.encode(event) + b"\n")

    def note(self, kind: Kind, job: str = "", page: int = -1, *, token: str = "", detail: str = "") -> None:
        """An event that happens now."""
        self.add(Event(time.time(), kind, job, page, token=token, detail=detail))


def recorded(path: Path) -> list[Event]:
    """What is in the file; a last line that was cut short by a kill is dropped."""
    lines = path.read_bytes().split(b"\n")
    return [msgspec.json.decode(line, type=Event) for line in lines[:-1]]


def ordered(*parts: Iterable[Event]) -> Sequence[Event]:
    """One history of several, by time; what one source says keeps its order."""
    return sorted((event for part in parts for event in part), key=lambda event: event.at)
