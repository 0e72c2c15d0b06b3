"""A job on the screen: a bar that moves, failed pages as they come, and how it ended."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pecia_client.jobs.model import Job, JobEvent, JobPage, JobStatus
from pecia_client.jobs_cli.moments import span
from pecia_client.rest import RestClient
from pecia_client.runs import say

COMPLETED, FAILED, PARTIAL, CANCELLED, INTERRUPTED = 0, 1, 3, 4, 130
# A gateway may be replaced meanwhile; the job goes on, and so does whoever watches it.
_PATIENCE_S = 600.0
_LINE_EVERY_S = 10.0
_MOST_NAMED = 20


def exit_status(job: Job) -> int:
    """0 = all pages are there, 3 = some are not, 1 = it failed, 4 = it was cancelled."""
    if job.partial:
        return PARTIAL
    return {JobStatus.COMPLETED: COMPLETED, JobStatus.CANCELLED: CANCELLED}.get(JobStatus(job.status), FAILED)


def watch(client: RestClient, job_id: str, *, as_json: bool = False) -> Job:
    """Show a job until it ends. Ctrl-C ends the watching, not the job.

    Raises:
        PeciaError: there is no such job, or the gateway stayed away.
        typer.Exit: interrupted.
    """
    job = client.jobs.get(job_id)
    with _leaving_it_alone(job_id), _bar(quiet=as_json) as bar:
        screen = _Screen(bar, job)
        with closing(client.jobs.events(job_id, patience_s=_PATIENCE_S)) as events:
            for event in events:
                if as_json:
                    typer.echo(_line(event))
                screen.show(event)
                job = event.job or job
    if not as_json:
        typer.echo(ending(job))
    return job


def ending(job: Job) -> str:
    """How a job ended, in a sentence."""
    pages = _pages(job.total_pages)
    if job.partial:
        return (
            f"completed, but {len(job.failed_pages)} of {pages} could not be read: {_named(job)}. "
            f"`pecia jobs resume {job.job_id}` tries them once more."
        )
    match job.status:
        case JobStatus.COMPLETED:
            return f"completed: {pages}{_took(job)}."
        case JobStatus.CANCELLED:
            return f"cancelled: {job.processed_pages} of {pages} had been read."
        case JobStatus.FAILED:
            return f"failed: {printable(job.error) or 'no page could be read'}"
    return f"{job.status}: {job.processed_pages} of {pages}."


def printable(text: str) -> str:
    """Text from elsewhere without what moves a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


class _Screen:
    """Shows events: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, bar: Progress, job: Job) -> None:
        self._bar = bar
        self._task: TaskID = bar.add_task(_heading(job), total=job.total_pages or None, pace="")
        self._last_line = 0.0
        self._told: set[int] = set()

    def show(self, event: JobEvent) -> None:
        """What the event changes."""
        if event.page and event.page.status == "failed":
            self._failed(event.page)
        if job := event.job:
            done = job.processed_pages + len(job.failed_pages)
            self._bar.update(
                self._task,
                description=_heading(job),
                completed=done,
                total=job.total_pages or None,
                pace=_pace(job),
            )
            if not self._bar.console.is_terminal and not job.ended:
                self._now_and_then(f"{job.status}: {done} of {_pages(job.total_pages)} {_pace(job)}".rstrip())

    def _failed(self, page: JobPage) -> None:
        if page.number not in self._told:
            self._told.add(page.number)
            why = f"page {page.number}: {printable(page.error)} (code {page.error_code})"
            self._bar.console.print(why, markup=False, highlight=False, soft_wrap=True)

    def _now_and_then(self, line: str) -> None:
        if time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _heading(job: Job) -> str:
    return printable(job.filename or job.job_id)[:40]


def _pace(job: Job) -> str:
    rate = job.pages_per_second
    parts = [
        "" if not rate else f"{rate:.1f} pages/s" if rate >= 1 else f"{1 / rate:.1f} s/page",
        "" if job.eta_seconds is None else f"{span(job.eta_seconds)} left",
        f"{len(job.failed_pages)} failed" if job.failed_pages else "",
    ]
    return ", ".join(filter(None, parts))


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"


def _named(job: Job) -> str:
    named = ", ".join(map(str, job.failed_pages[:_MOST_NAMED]))
    more = len(job.failed_pages) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _took(job: Job) -> str:
    if job.started_at is None or job.completed_at is None:
        return ""
    return f" in {span(job.completed_at - job.started_at)}"


def _line(event: JobEvent) -> str:
    kind, body = ("page", event.page.raw) if event.page else ("job", event.job.raw if event.job else {})
    return json.dumps({"seq": event.seq, "event": kind, kind: body}, ensure_ascii=False)


def _bar(*, quiet: bool) -> Progress:
    console = Console(stderr=True, quiet=quiet)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not console.is_terminal or quiet,
    )


@contextmanager
def _leaving_it_alone(job_id: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say(f"\nThe job goes on without you. To see it again: pecia jobs watch {job_id}")
        sys.stdout.flush()
        raise typer.Exit(INTERRUPTED) from None
