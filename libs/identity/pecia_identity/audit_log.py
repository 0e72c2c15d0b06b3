"""Who did what, when, from where, and how it ended: an append-only log that no request ever waits for.

No text of documents, no file names, no keys: ids and names of tenants only.
"""

import fcntl
import logging
import os
import queue
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pecia_core.telemetry import request_id

from pecia_identity.chain import Link, last, written
from pecia_identity.settings import AuditSettings

_log = logging.getLogger(__name__)
_STANDARD_OUTPUT = "-"
_BATCH = 256
_TAIL_BYTES = 64 * 1024
# Seconds before a disk that refuses is tried again.
_AGAIN_S = 1.0
# Somebody who tries keys must not fill the disk: so many refusals a second, and then their number.
_REFUSALS_A_SECOND = 20


@dataclass(frozen=True, slots=True)
class Act:
    """One thing somebody did.

    Attributes:
        what: such as `job.created`; docs/identity.md lists them.
        outcome: `done`, `refused` or `failed`.
        tenant, key: who; the key's id, never the key. Empty = not known.
        target: what it was done to: an id without a file's name, or a tenant.
        source: the address it came from.
        detail: numbers and codes.
    """

    what: str
    outcome: str = "done"
    tenant: str = ""
    key: str = ""
    target: str = ""
    source: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class AuditLog:
    """Takes acts at once and writes them beside everything else, in a thread of its own."""

    def __init__(self, settings: AuditSettings, service: str) -> None:
        """Begin nothing: the thread starts with the first act. `service` stands in every line."""
        self._settings = settings
        self._service = service
        self._secret = settings.secret.get_secret_value().encode()
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(settings.max_waiting)
        self._link = Link()
        self._lost = 0
        self._refusals = (0, 0)
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def record(self, act: Act) -> None:
        """Have it written soon. Never waits: what finds no place is counted, and the count is written."""
        if not self._settings.file or self._floods(act):
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        fields = {"time": now, "service": self._service, **asdict(act), "request": request_id.get()}
        self._start()
        try:
            self._waiting.put_nowait(fields)
        except queue.Full:
            self._lost += 1

    def settled(self, timeout_s: float) -> bool:
        """Wait until all so far is written; False = the disk is slower than `timeout_s`."""
        end = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, and end."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _floods(self, act: Act) -> bool:
        if act.outcome != "refused":
            return False
        second, count = self._refusals
        now = int(time.monotonic())
        self._refusals = (now, 1) if now != second else (now, count + 1)
        if self._refusals[1] <= _REFUSALS_A_SECOND:
            return False
        self._lost += 1
        return True

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            try:
                batch = [self._waiting.get(timeout=0.1)]
            except queue.Empty:
                continue
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            taken = len(batch)  # a note on what was lost may join it
            self._persist(batch)
            for _ in range(taken):
                self._waiting.task_done()

    def _persist(self, batch: list[dict[str, Any]]) -> None:
        """Until it is written: meanwhile what is recorded waits, up to the bound."""
        while True:
            lost, self._lost = self._lost, 0
            if lost:
                batch.append(self._note_of(lost))
            try:
                self._write(batch)
            except OSError as error:
                _log.error("the audit log cannot be written", extra={"reason": str(error)})
                self._lost += lost
                if lost:
                    batch.pop()
                if self._closing.wait(_AGAIN_S):
                    return
            else:
                return

    def _note_of(self, lost: int) -> dict[str, Any]:
        act = Act("audit.lost", outcome="failed", detail={"acts": lost})
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {"time": now, "service": self._service, **asdict(act), "request": "-"}

    def _write(self, batch: list[dict[str, Any]]) -> None:
        if self._settings.file == _STANDARD_OUTPUT:
            text, self._link = self._lines(batch, self._link)
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
            return
        handle = os.open(Path(self._settings.file), os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        try:
            # Several processes may write one log: each goes on from the last line, whosever it is.
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            link = _end_of(handle, size) if size else self._link
            text, self._link = self._lines(batch, link)
            _append(handle, text, size)
        finally:
            os.close(handle)

    def _lines(self, batch: list[dict[str, Any]], link: Link) -> tuple[bytes, Link]:
        lines = []
        for fields in batch:
            line, link = written(fields, link, self._secret)
            lines.append(line)
        return b"".join(lines), link


def _append(handle: int, text: bytes, size: int) -> None:
    """All of it or nothing: a full disk leaves no half line."""
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise


def _end_of(handle: int, size: int) -> Link:
    """Where the chain in a file has come to; one whose end is spoilt begins anew, which shows."""
    tail = os.pread(handle, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    if not tail.endswith(b"\n"):
        os.write(handle, b"\n")  # what was cut off stays to be seen, as a line of its own
        return Link()
    line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    return last(line) or Link()
