"""Somebody who makes jobs, cancels some and goes on with some, through troubles of its own."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TypeVar

from pecia_core.errors import PeciaError, Unavailable
from pecia_core.recognition import RecognizeOptions
from pecia_jobs.blobs import Blobs, input_key
from pecia_jobs.ids import new_job_id
from pecia_jobs.model import JobOptions, NewJob
from pecia_jobs.store import Store

from benchmarks.jobs.drawn import document
from benchmarks.jobs.history import Kind, Recorder

TENANTS = ("anna", "budi", "citra")
_Answer = TypeVar("_Answer")


class Owner:
    """Submits jobs through troubles of its own, cancels some and has some read again."""

    def __init__(self, store: Store, blobs: Blobs, recorder: Recorder, dice: random.Random) -> None:
        """Nothing submitted yet."""
        self._store = store
        self._blobs = blobs
        self._recorder = recorder
        self._dice = dice
        self.labels: dict[str, str] = {}
        self.pages = 0

    async def job(self, label: str, *, cancelled: bool) -> None:
        """One job from its beginning to its last end."""
        tenant = self._dice.choice(TENANTS)
        pages = self._dice.randint(1, 20)
        job = await self._made(tenant, label, pages)
        self.labels[label] = job
        self.pages += pages
        self._recorder.note(Kind.SUBMITTED, job, pages)
        if cancelled:
            await asyncio.sleep(self._dice.uniform(0.0, 1.5))
            await _again(lambda: self._store.cancel(tenant, job))
            await self._ended(tenant, job)
            if self._dice.random() < 0.5:  # half of them are gone on with
                await self._resumed(tenant, job)
        await self._ended(tenant, job)

    async def _resumed(self, tenant: str, job: str) -> None:
        try:
            await _again(lambda: self._store.rerun(tenant, job))
        except PeciaError as error:
            # It had ended before the cancel came; or it goes on already, and only the answer was lost.
            if error.code not in {"job_finished", "job_running"}:
                raise

    async def _made(self, tenant: str, label: str, pages: int) -> str:
        data = document(pages)
        job_id = new_job_id(f"{label}.pdf", time.time())
        key = input_key(tenant, job_id, "application/pdf")
        new = NewJob(
            id=job_id,
            tenant=tenant,
            filename=f"{label}.pdf",
            media_type="application/pdf",
            input_key=key,
            input_sha256=sha256(data).hexdigest(),
            input_bytes=len(data),
            page_numbers=tuple(range(1, pages + 1)),
            document_pages=pages,
            options=JobOptions(recognize=RecognizeOptions(ref_text=label), dpi=72.0),
            # Without a key the job's own id has to do: nobody made two of them.
            idempotency_key=self._dice.choice(("", label)),
            idempotency_digest=label,
        )
        await _again(lambda: self._blobs.put(key, data))
        job, _ = await _again(lambda: self._store.create(new))
        assert job.id == job_id
        return job_id

    async def _ended(self, tenant: str, job: str) -> None:
        while True:
            found = await _again(lambda: self._store.job(tenant, job))
            seen = found.pages_done + found.pages_failed
            self._recorder.note(Kind.SEEN, job, seen, detail=found.state)
            if found.state.terminal:
                return
            await asyncio.sleep(0.1)


async def _again(attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Repeated while somebody is away, as callers do."""
    while True:
        try:
            return await attempt()
        except Unavailable:
            await asyncio.sleep(0.05)
