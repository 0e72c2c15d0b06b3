"""Somebody who submits documents over REST, whatever is down at the moment, and looks how they are."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from benchmarks.jobs.drawn import document
from benchmarks.jobs.history import Kind, Recorder

ENDED = frozenset({"done", "partial", "failed", "cancelled"})
_AGAIN_S = 0.1
_OK = 200
_SERVER_ERROR = 500
_BUSY = 429


class Refused(Exception):
    """A request that will not be granted however often it is made; says what the gateway said."""


@dataclass(frozen=True, slots=True)
class Order:
    """A document: `label` stands in each page's text, and makes the request recognisable when repeated."""

    label: str
    pages: int
    webhook_url: str = ""
    model: str = "rapid"

    @property
    def form(self) -> dict[str, str]:
        """As it is sent. The resolution is the least the pages' bars need."""
        form = {"ref_text": self.label, "dpi": "72", "model": self.model, "task_type": "free_ocr"}
        return form | ({"webhook_url": self.webhook_url} if self.webhook_url else {})


class Caller:
    """One client of the gateway, which repeats what was not answered."""

    def __init__(self, url: str, recorder: Recorder, http: httpx.AsyncClient) -> None:
        """Nothing submitted yet."""
        self._url = url
        self._recorder = recorder
        self._http = http

    async def submit(self, order: Order) -> str:
        """Until it is accepted; gives the job's id. Repeating cannot make two: it is one Idempotency-Key.

        Raises:
            Refused: the document or the request is wrong.
        """
        job = await self.send(f"{order.label}.pdf", document(order.pages), order.form)
        self._recorder.note(Kind.SUBMITTED, job, order.pages, detail=order.webhook_url)
        return job

    async def send(self, filename: str, data: bytes, form: Mapping[str, str]) -> str:
        """Any document, until it is accepted; gives the job's id. The file's name makes it recognisable.

        Raises:
            Refused: the document or the request is wrong.
        """
        headers = {"Idempotency-Key": filename}
        files = {"file": (filename, data)}
        said = await self._asked("POST", "/v1/jobs", data=dict(form), files=files, headers=headers)
        return str(said.json()["job_id"])

    async def watch(self, job: str, every_s: float = 0.1) -> str:
        """Look until it has ended; gives the state. Every look is noted."""
        while True:
            state = await self.look(job)
            if state in ENDED:
                return state
            await asyncio.sleep(every_s)

    async def look(self, job: str) -> str:
        """The state now."""
        said = (await self._asked("GET", f"/v1/jobs/{job}")).json()
        state = str(said["detail"]["state"])
        self._recorder.note(Kind.SEEN, job, _ended_pages(said), detail=state)
        return state

    async def text(self, job: str) -> str:
        """The result, as plain text."""
        return (await self._asked("GET", f"/v1/jobs/{job}/download?format=text")).text

    async def ask(self, method: str, path: str) -> httpx.Response:
        """Anything else, repeated as all of it."""
        return await self._asked(method, path)

    async def _asked(self, method: str, path: str, **request: object) -> httpx.Response:
        while True:
            try:
                said = await self._http.request(method, f"{self._url}{path}", **request)  # type: ignore[arg-type]
            except httpx.TransportError:
                said = None
            if said is not None and said.status_code == _OK:
                return said
            if said is not None and said.status_code < _SERVER_ERROR and said.status_code != _BUSY:
                raise Refused(f"{method} {path}: {said.status_code} {said.text[:300]}")
            await asyncio.sleep(_AGAIN_S)


def _ended_pages(said: dict[str, object]) -> int:
    """Pages that are done or have failed, as callers are told."""
    failed = said["failed_pages"]
    assert isinstance(failed, list)
    return int(str(said["processed_pages"])) + len(failed)
