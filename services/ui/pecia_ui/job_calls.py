"""The gateway's addresses for jobs, as far as the page needs them. Every failure is a UiError."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import httpx

from pecia_ui.calls import Calls, understood
from pecia_ui.events import named_events
from pecia_ui.jobs import Job, JobAsk, JobEvent, JobList, JobPage, PageText

_ANSWER_S = 30.0
# The gateway sends a comment more often than that.
_SILENCE_S = 45.0
_SILENCE = httpx.Timeout(None, connect=5.0, read=_SILENCE_S)


@dataclass(frozen=True, slots=True)
class JobCalls:
    """Asks about jobs as the visitor."""

    calls: Calls

    async def submit(self, ask: JobAsk, key: str) -> str:
        """Make a job, or find the one that was made with this idempotency key; gives its id."""
        answer = await self.calls.json(
            "POST",
            "/v1/jobs",
            files={"file": (ask.name, ask.document)},
            data=ask.form(),
            headers={"idempotency-key": key},
        )
        with understood():
            return str(answer["job_id"])

    async def listed(self, status: str = "", cursor: str = "", limit: int = 20) -> JobList:
        """The visitor's jobs, newest first; `cursor` as the list before this one said."""
        asked = {"limit": str(limit), "status": status, "cursor": cursor}
        params = {name: value for name, value in asked.items() if value}
        body = await self.calls.json("GET", "/v1/jobs", timeout_s=_ANSWER_S, params=params)
        with understood():
            return JobList(tuple(Job.from_json(job) for job in body["jobs"]), body.get("next_cursor") or "")

    async def job(self, job_id: str) -> Job:
        """How it stands."""
        body = await self.calls.json("GET", f"/v1/jobs/{job_id}", timeout_s=_ANSWER_S)
        with understood():
            return Job.from_json(body)

    async def pages(self, job_id: str) -> tuple[JobPage, ...]:
        """How each page stands."""
        body = await self.calls.json("GET", f"/v1/jobs/{job_id}/pages", timeout_s=_ANSWER_S)
        with understood():
            return tuple(JobPage.from_json(page) for page in body["pages"])

    async def page(self, job_id: str, number: int) -> PageText:
        """What was read on a page that is done."""
        path = f"/v1/jobs/{job_id}/pages/{number}"
        body = await self.calls.json("GET", path, timeout_s=_ANSWER_S)
        with understood():
            return PageText.from_json(body)

    async def picture(self, job_id: str, number: int) -> bytes:
        """How a page looks: a JPEG of a PDF's, otherwise as it was sent."""
        path = f"/v1/jobs/{job_id}/pages/{number}/image"
        async with self.calls.opened("GET", path, "image/", timeout_s=_ANSWER_S) as response:
            return await response.aread()

    async def cancel(self, job_id: str) -> None:
        """Stop a job; the pages that are done stay."""
        await self.calls.json("POST", f"/v1/jobs/{job_id}/cancel", timeout_s=_ANSWER_S)

    async def resume(self, job_id: str) -> None:
        """Read the pages that failed or were cancelled once more."""
        await self.calls.json("POST", f"/v1/jobs/{job_id}/resume", timeout_s=_ANSWER_S)

    async def rerun(self, job_id: str, number: int) -> None:
        """Read one page once more."""
        await self.calls.json("POST", f"/v1/jobs/{job_id}/pages/{number}/rerun", timeout_s=_ANSWER_S)

    async def delete(self, job_id: str) -> None:
        """Delete a job that ended, with all that was read."""
        await self.calls.json("DELETE", f"/v1/jobs/{job_id}", timeout_s=_ANSWER_S)

    async def download(self, job_id: str, form: str, *, partial: bool) -> bytes:
        """The result as markdown, text, json or csv (its tables); `partial` = as far as it is."""
        params = {"format": form, "partial": "true" if partial else "false"}
        path, wait = f"/v1/jobs/{job_id}/download", self.calls.timeout_s
        async with self.calls.opened("GET", path, "", timeout_s=wait, params=params) as response:
            return await response.aread()

    async def events(self, job_id: str, after: int) -> AsyncGenerator[JobEvent, None]:
        """What happened after event number `after` and what happens until the connection ends."""
        headers = {"last-event-id": str(after)} if after else {}
        async with (
            self.calls.opened(
                "GET",
                f"/v1/jobs/{job_id}/events",
                "text/event-stream",
                timeout_s=None,
                headers=headers,
                timeout=_SILENCE,
            ) as response,
            aclosing(named_events(response.aiter_bytes())) as events,
        ):
            async for event in events:
                seq = int(event.id or 0)
                match event.kind:
                    case "job":
                        yield JobEvent(seq, job=Job.from_json(event.body))
                    case "page":
                        yield JobEvent(seq, page=JobPage.from_json(event.body))
