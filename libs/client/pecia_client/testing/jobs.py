"""Jobs for a stand-in gateway: the addresses and shapes of the real one, and pages that end when told to."""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pecia_client.testing.gateway import Answer, Asked

_ENDED = ("done", "failed", "cancelled")
_STATUS = {"scheduled": "queued", "running": "processing", "done": "completed", "partial": "completed"}
_KEEP_ALIVE_S = 0.5
# A white page of 4 x 1 pixels, which is the shape of the pages here.
_WHITE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAABCAAAAADcV1ARAAAAC0lEQVR4nGP4DwQACfsD/fteaysAAAAASUVORK5CYII="
)
_NOT_FOUND = (404, "not_found", "There is no such job.")


@dataclass
class ScriptedPage:
    """A page as the test left it."""

    number: int
    status: str = "ready"
    text: str = ""
    error: dict[str, str] | None = None
    seq: int = 0
    attempts: int = 0

    def json(self) -> dict[str, Any]:
        """As the gateway says it."""
        done = self.status == "done"
        return {
            "number": self.number,
            "status": self.status,
            "source": "ocr" if done else None,
            "engine": "rapid" if done else "",
            "fallback_from": "",
            "confidence": 0.97 if done else None,
            "attempts": self.attempts,
            "finished_at": 1_700_000_000.0 + self.seq if self.seq else None,
            "error": self.error,
        }

    def reading(self) -> dict[str, Any]:
        """As the gateway gives it when it is done: 400 x 100 pixels, one line of text."""
        corners = [[10, 20], [390, 20], [390, 60], [10, 60]]
        line = {"text": self.text, "polygon": corners, "confidence": 0.97, "row": 0, "words": []}
        block = {"kind": "paragraph", "reading_order": 0, "polygon": corners, "lines": [line]}
        page = {"index": 0, "number": 1, "width": 400, "height": 100, "rotation": 0, "blocks": [block]}
        said = {"text": self.text, "markdown": self.text, "model": "PP-OCR", "warnings": [], "page": page}
        return self.json() | said


@dataclass
class ScriptedJob:
    """A job as the test left it; `form` is what was asked, the file included."""

    id: str
    filename: str
    pages: dict[int, ScriptedPage]
    owner: str = ""
    form: dict[str, str] = field(default_factory=dict)
    state: str = "queued"
    seq: int = 1
    created: float = 1_700_000_000.0

    def json(self) -> dict[str, Any]:
        """As the gateway says it."""
        ended = [page for page in self.pages.values() if page.status in {"done", "failed"}]
        failed = [page.number for page in ended if page.status == "failed"]
        over = self.state in {"done", "partial", "failed", "cancelled"}
        return {
            "job_id": self.id,
            "filename": self.filename,
            "status": _STATUS.get(self.state, self.state),
            "progress": 100.0 * len(ended) / len(self.pages),
            "total_pages": len(self.pages),
            "processed_pages": len(ended) - len(failed),
            "created_at": self.created,
            "started_at": self.created + 1 if self.state != "queued" else None,
            "completed_at": self.created + 61 if over else None,
            "error": "No page could be read." if self.state == "failed" else None,
            "failed_pages": failed,
            "eta_seconds": 30.0 if self.state == "running" else None,
            "pages_per_second": 0.5 if self.state == "running" else None,
            "detail": {"state": self.state, "priority": self.form.get("priority", "default")},
        }


class ScriptedJobs:
    """Every job of a stand-in gateway. Safe between threads; the test moves pages, callers look."""

    def __init__(self) -> None:
        """No jobs yet; documents have three pages, all of them white, until told otherwise."""
        self.jobs: dict[str, ScriptedJob] = {}
        self.pages_of_next = 3
        self.picture = _WHITE
        self._numbers = count(1)
        self._keys: dict[str, str] = {}
        self._changed = threading.Condition()
        self._hang_ups = 0

    def add(self, filename: str = "scan.pdf", pages: int | None = None, owner: str = "") -> str:
        """A job that nobody submitted; gives its id."""
        with self._changed:
            number = next(self._numbers)
            job_id = f"{filename}_20261121_120000_{number:08x}"
            made = {n: ScriptedPage(n) for n in range(1, (pages or self.pages_of_next) + 1)}
            self.jobs[job_id] = ScriptedJob(job_id, filename, made, owner, created=1_700_000_000.0 + number)
            return job_id

    def done(self, job_id: str, number: int, text: str = "") -> None:
        """A page was read."""
        self._end(job_id, number, status="done", text=text or f"Text of page {number}")

    def fail(self, job_id: str, number: int, message: str = "The picture is damaged.") -> None:
        """A page could not be read."""
        self._end(job_id, number, status="failed", error={"code": "invalid_image", "message": message})

    def hang_up(self) -> None:
        """End every stream of events in the middle, as a gateway that is restarted does."""
        with self._changed:
            self._hang_ups += 1
            self._changed.notify_all()

    def answer(self, asked: Asked) -> Answer:
        """What the gateway answers; 404 for what is not about jobs."""
        target = urlsplit(asked.path)
        path, query = target.path.removeprefix("/v1"), dict(parse_qsl(target.query))
        if path in {"/jobs", "/jobs/create"}:
            return self._listed(asked, query) if asked.method == "GET" else self._created(asked)
        job = self.jobs.get(path.split("/")[2]) if path.startswith("/jobs/") else None
        if job is None or job.owner != asked.headers.get("authorization", ""):
            return Answer.refusal(*_NOT_FOUND)
        return self._of_job(asked, job, path.split("/")[3:], query)

    def _of_job(self, asked: Asked, job: ScriptedJob, rest: list[str], query: Mapping[str, str]) -> Answer:
        number = int(rest[1]) if rest[1:] else 0
        after = int(asked.headers.get("last-event-id") or query.get("after") or 0)
        again = [page.number for page in job.pages.values() if page.status in {"failed", "cancelled"}]
        stream = {"content-type": "text/event-stream"}
        routes: dict[tuple[str, ...], Callable[[], Answer]] = {
            ("GET",): lambda: Answer.of(job.json()),
            ("DELETE",): lambda: self._deleted(job),
            ("GET", "pages"): lambda: Answer.of({"pages": [page.json() for page in job.pages.values()]}),
            ("GET", "pages", "N"): lambda: _page(job, number),
            ("GET", "pages", "N", "image"): lambda: self._picture(job, number),
            ("GET", "events"): lambda: Answer(headers=stream, pieces=self._events(job, after)),
            ("GET", "download"): lambda: _download(job, query),
            ("POST", "cancel"): lambda: self._cancelled(job),
            ("POST", "resume"): lambda: self._again(job, again),
            ("POST", "pages", "N", "rerun"): lambda: self._again(job, [number]),
        }
        route = (asked.method, *("N" if part.isdecimal() else part for part in rest))
        return routes.get(route, lambda: Answer.refusal(*_NOT_FOUND))()

    def _picture(self, job: ScriptedJob, number: int) -> Answer:
        if number not in job.pages:
            return Answer.refusal(404, "not_found", "There is no such page.")
        if job.pages[number].error:
            return Answer.refusal(409, "job_page_not_drawable", "This page cannot be drawn.")
        return Answer(body=self.picture, headers={"content-type": "image/png"})

    def _created(self, asked: Asked) -> Answer:
        key = asked.headers.get("idempotency-key", "")
        known = self._keys.get(key, "") if key else ""
        form, filename = _form(asked)
        job_id = known or self.add(filename, owner=asked.headers.get("authorization", ""))
        self.jobs[job_id].form = form
        self._keys[key] = job_id
        message = f"Job created successfully. Total pages: {len(self.jobs[job_id].pages)}"
        body = {"success": True, "job_id": job_id, "message": message}
        return Answer.of(body, x_idempotent_replay="true" if known else "false")

    def _listed(self, asked: Asked, query: Mapping[str, str]) -> Answer:
        owner, wanted = asked.headers.get("authorization", ""), query.get("status")
        mine = [job.json() for job in reversed(self.jobs.values()) if job.owner == owner]
        found = [job for job in mine if wanted in {None, job["status"]}]
        start = int(query.get("cursor") or 0)
        end = start + int(query.get("limit") or 100)
        return Answer.of({"jobs": found[start:end], "next_cursor": str(end) if end < len(found) else None})

    def _deleted(self, job: ScriptedJob) -> Answer:
        if job.state in {"queued", "running"}:
            self._cancelled(job)
            return Answer.of({"success": True, "message": "Job cancelled"})
        del self.jobs[job.id]
        return Answer.of({"success": True, "message": "Job deleted"})

    def _cancelled(self, job: ScriptedJob) -> Answer:
        with self._changed:
            job.state = "cancelled"
            for page in job.pages.values():
                page.status = page.status if page.status in _ENDED else "cancelled"
            self._tell(job)
        return Answer.of(job.json())

    def _again(self, job: ScriptedJob, numbers: list[int]) -> Answer:
        if not numbers:
            return Answer.refusal(409, "job_finished", "Every page of this job is done.")
        with self._changed:
            for number in numbers:
                job.pages[number] = ScriptedPage(number, attempts=job.pages[number].attempts)
            job.state = "running"
            self._tell(job)
        return Answer.of(job.json())

    def _end(self, job_id: str, number: int, **changes: Any) -> None:  # noqa: ANN401 - fields of a page
        with self._changed:
            job = self.jobs[job_id]
            page = job.pages[number]
            job.seq += 1
            page.seq, page.attempts = job.seq, page.attempts + 1
            for name, value in changes.items():
                setattr(page, name, value)
            states = {one.status for one in job.pages.values()}
            job.state = "running" if states - set(_ENDED) else _end_of(states)
            self._tell(job)

    def _tell(self, job: ScriptedJob) -> None:
        job.seq += 1
        self._changed.notify_all()

    def _events(self, job: ScriptedJob, after: int) -> Iterator[bytes]:
        hang_ups, told = self._hang_ups, 0
        while True:
            with self._changed:
                news = sorted((p for p in job.pages.values() if p.seq > after), key=lambda p: p.seq)
                first = [_event("job", 0, job.json())] if news and not told else []
                out = first + [_event("page", page.seq, page.json()) for page in news]
                if job.seq != told:
                    out.append(_event("job", job.seq, job.json()))
                told = after = job.seq
                over = job.state in {"done", "partial", "failed", "cancelled"}
            yield b"".join(out) or b": keep-alive\n\n"
            if over:
                return
            with self._changed:
                if job.seq == told and self._hang_ups == hang_ups:
                    self._changed.wait(_KEEP_ALIVE_S)
                if self._hang_ups != hang_ups:
                    return


def until(true: Callable[[], object], patience_s: float = 30.0) -> None:
    """Wait until `true()` is; AssertionError after `patience_s`."""
    end = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)


def _event(kind: str, seq: int, body: object) -> bytes:
    head = f"id: {seq}\n" if seq else ""
    return f"{head}event: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def _end_of(states: set[str]) -> str:
    return "partial" if {"done", "failed"} <= states else "failed" if "failed" in states else "done"


def _page(job: ScriptedJob, number: int) -> Answer:
    page = job.pages.get(number)
    if page is None:
        return Answer.refusal(404, "not_found", "There is no such page.")
    if page.status != "done":
        return Answer.refusal(409, "job_page_not_ready", f"Page {number} is not done yet.")
    return Answer.of(page.reading())


def _download(job: ScriptedJob, query: Mapping[str, str]) -> Answer:
    if _STATUS.get(job.state) != "completed" and query.get("partial") != "true":
        return Answer.refusal(409, "job_not_completed", f"The job is {job.state}; nothing to download yet.")
    texts = [page.text or f"[page {page.number} is missing]" for page in job.pages.values()]
    form = query.get("format", "markdown")
    said = {"json": json.dumps({"pages": texts}), "csv": "no,table"}.get(form, "\n\n".join(texts))
    return Answer(body=said.encode(), headers={"content-type": f"text/{form}"})


def _form(asked: Asked) -> tuple[dict[str, str], str]:
    head = f"content-type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + asked.body)
    form, filename = {}, ""
    for part in message.iter_parts():
        said = dict(re.findall(r'(\w+)="([^"]*)"', part["content-disposition"]))
        payload = part.get_payload(decode=True)
        form[said["name"]] = payload.decode("latin-1") if isinstance(payload, bytes) else ""
        filename = said.get("filename", filename)
    return form, filename
