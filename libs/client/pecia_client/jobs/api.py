"""The gateway's addresses for jobs. Reached as `RestClient.jobs`."""

import uuid
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import httpx
from pecia_core.errors import InvalidDocument, Unavailable

from pecia_client.connection import Connection
from pecia_client.jobs.events import followed
from pecia_client.jobs.model import (
    Job,
    JobEvent,
    JobList,
    JobPage,
    JobRequest,
    JobStatus,
    PagePicture,
    PageReading,
    ResultFormat,
    Submitted,
)
from pecia_client.reading import Json

# The gateway sends a comment more often than that.
_SILENCE_S = 45.0
_PATIENCE_S = 120.0
_PAGE_OF_JOBS = 100


class Jobs:
    """Every call raises a PeciaError with the gateway's own message, code and request id."""

    def __init__(self, connection: Connection) -> None:
        """Share the pool of the client this belongs to."""
        self._connection = connection

    def submit(
        self,
        document: Path | bytes,
        request: JobRequest | None = None,
        *,
        filename: str = "",
        idempotency_key: str = "",
    ) -> Submitted:
        """Make a job; it comes back at once, the pages are read later.

        Args:
            document: a file, or its bytes.
            request: what is wanted; None = text in reading order, of every page.
            filename: what to call it in lists; by default as the file is called.
            idempotency_key: the same key and request make one job, however often they are sent. By
                default a new one for each call, so that a call whose answer was lost is safely repeated.

        Raises:
            InvalidDocument: the file cannot be opened.
            PeciaError: the gateway refused, or nobody answered.
        """
        key = idempotency_key or uuid.uuid4().hex
        name = filename or (document.name if isinstance(document, Path) else "document")
        form, headers = (request or JobRequest()).form(), {"idempotency-key": key}
        with _opened(document) as source:
            response = self._connection.send(
                "POST",
                "/v1/jobs",
                repeatable=True,
                files={"file": (name, source)},
                data=form,
                headers=headers,
            )
        body = response.json()
        replayed = response.headers.get("x-idempotent-replay") == "true"
        return Submitted(body["job_id"], body.get("message") or "", replayed)

    def get(self, job_id: str) -> Job:
        """How a job stands; raises NotFound, also for somebody else's."""
        return Job.from_json(self._connection.json(f"/v1/jobs/{job_id}"))

    def list(
        self, *, status: JobStatus | str | None = None, limit: int = _PAGE_OF_JOBS, cursor: str = ""
    ) -> JobList:
        """The caller's jobs, newest first; `cursor` is the `next_cursor` of the answer before."""
        asked = {"limit": limit, "cursor": cursor or None, "status": str(status) if status else None}
        params = {name: value for name, value in asked.items() if value is not None}
        body = self._connection.json("/v1/jobs", params=params)
        return JobList(tuple(Job.from_json(job) for job in body["jobs"]), body.get("next_cursor") or "")

    def all(self, *, status: JobStatus | str | None = None) -> Iterator[Job]:
        """Every job of the caller, newest first, asked for as they are taken."""
        cursor = ""
        while True:
            found = self.list(status=status, cursor=cursor)
            yield from found.jobs
            cursor = found.next_cursor
            if not cursor:
                return

    def pages(self, job_id: str) -> tuple[JobPage, ...]:
        """How each page stands."""
        body = self._connection.json(f"/v1/jobs/{job_id}/pages")
        return tuple(JobPage.from_json(page) for page in body["pages"])

    def page(self, job_id: str, number: int) -> PageReading:
        """One page that is done, also while others are not; Conflict `job_page_not_ready` before that."""
        return PageReading.from_json(self._connection.json(f"/v1/jobs/{job_id}/pages/{number}"))

    def picture(self, job_id: str, number: int, *, dpi: int | None = None) -> PagePicture:
        """How a page looks, whether it has been read or not.

        Args:
            job_id: whose.
            number: of the page, from 1.
            dpi: dots per inch, 36 to 200, of PDFs; None = what fills a screen.

        Raises:
            Conflict: it cannot be drawn (`job_page_not_drawable`).
            Gone: the document is deleted, or its password is forgotten.
        """
        params = {} if dpi is None else {"dpi": dpi}
        path = f"/v1/jobs/{job_id}/pages/{number}/image"
        response = self._connection.send("GET", path, repeatable=True, params=params)
        return PagePicture(response.content, response.headers.get("content-type", ""))

    def events(
        self, job_id: str, *, after: int = 0, patience_s: float = _PATIENCE_S
    ) -> Generator[JobEvent, None, None]:
        """What happens to a job until it ends; the last event is the job at its end.

        Args:
            job_id: whose.
            after: `seq` of the last event the caller knows.
            patience_s: seconds a gateway may be away; within them this connects again by itself.
        """

        def open_after(seq: int) -> AbstractContextManager[httpx.Response]:
            headers = {"last-event-id": str(seq)} if seq else {}
            path = f"/v1/jobs/{job_id}/events"
            return self._connection.stream("GET", path, silence_s=_SILENCE_S, headers=headers)

        return followed(open_after, after, patience_s)

    def wait(self, job_id: str, *, patience_s: float = _PATIENCE_S) -> Job:
        """The job at its end, however long that takes; `patience_s` as in `events`."""
        with closing(self.events(job_id, patience_s=patience_s)) as events:
            for event in events:
                if event.job and event.job.ended:
                    return event.job
        raise Unavailable(f"What becomes of job {job_id} is not known; ask for it again.")

    def download(
        self, job_id: str, form: ResultFormat = ResultFormat.MARKDOWN, *, partial: bool = False
    ) -> bytes:
        """The whole result; `partial` = what is done so far, with the missing pages named in it."""
        params = _wanted(form, partial=partial)
        path = f"/v1/jobs/{job_id}/download"
        return self._connection.send("GET", path, repeatable=True, params=params).content

    def save(
        self,
        job_id: str,
        path: Path,
        form: ResultFormat = ResultFormat.MARKDOWN,
        *,
        partial: bool = False,
    ) -> None:
        """As `download`, into a file, of any length; half a result never stands under its name."""
        draft = path.with_name(path.name + ".part")
        address = f"/v1/jobs/{job_id}/download"
        with self._connection.stream("GET", address, params=_wanted(form, partial=partial)) as response:
            with draft.open("wb") as sink:
                for piece in response.iter_bytes():
                    sink.write(piece)
            draft.replace(path)

    def metadata(self, job_id: str) -> Json:
        """When it was read, how long it took, with which prompt."""
        return self._connection.json(f"/v1/jobs/{job_id}/metadata")

    def cancel(self, job_id: str) -> Job:
        """Stop a job; the pages that are done stay."""
        response = self._connection.send("POST", f"/v1/jobs/{job_id}/cancel", repeatable=True)
        return Job.from_json(response.json())

    def resume(self, job_id: str) -> Job:
        """Read the pages that failed or were cancelled once more."""
        return Job.from_json(self._connection.send("POST", f"/v1/jobs/{job_id}/resume").json())

    def rerun(self, job_id: str, number: int) -> Job:
        """Read one page once more."""
        path = f"/v1/jobs/{job_id}/pages/{number}/rerun"
        return Job.from_json(self._connection.send("POST", path).json())

    def delete(self, job_id: str) -> str:
        """Delete a job that ended, with its result; a job that runs is cancelled. Says which it was."""
        # Not made again by itself: the first call may cancel, and a second one would then delete.
        answer: Json = self._connection.send("DELETE", f"/v1/jobs/{job_id}").json()
        return str(answer.get("message") or "")

    def deliveries(self, job_id: str) -> tuple[Json, ...]:
        """What became of the webhooks of a job, as the gateway says it."""
        return tuple(self._connection.json(f"/v1/jobs/{job_id}/deliveries")["deliveries"])

    def webhook_secrets(self) -> tuple[str, ...]:
        """What the caller's webhooks are signed with, newest first."""
        return tuple(self._connection.json("/v1/webhooks/secrets")["secrets"])


def _opened(document: Path | bytes) -> BinaryIO:
    if isinstance(document, bytes):
        return BytesIO(document)
    try:
        return document.open("rb")
    except OSError as failure:
        raise InvalidDocument(f"{document} cannot be opened: {failure.strerror}") from failure


def _wanted(form: ResultFormat, *, partial: bool) -> dict[str, str]:
    return {"format": str(form), **({"partial": "true"} if partial else {})}
