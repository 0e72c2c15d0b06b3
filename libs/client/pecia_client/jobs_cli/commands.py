"""The commands of `pecia jobs`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import typer
from pecia_core.document import Document
from pecia_core.errors import PeciaError
from pecia_core.formats import document_csv
from pecia_core.vocabulary import TaskType

from pecia_client.calling import EPILOG, ApiBase, ApiKey, client_for
from pecia_client.jobs.model import Job, JobPriority, JobRequest, PageReading, ResultFormat
from pecia_client.jobs_cli import options, texts
from pecia_client.jobs_cli.moments import clock
from pecia_client.jobs_cli.submitting import Plan, carried_out, moment_or_usage_error
from pecia_client.jobs_cli.watching import ending, exit_status, printable, watch
from pecia_client.rest import RestClient
from pecia_client.runs import report, say

jobs_app = typer.Typer(
    help=texts.JOBS,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@jobs_app.command(help=texts.SUBMIT, epilog=EPILOG)
def submit(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    files: options.Files,
    pages: options.Pages = "",
    languages: options.Languages = None,
    model: options.Model = "",
    size: options.Size = None,
    task: options.Task = None,
    ref_text: options.RefText = "",
    prompt: options.Prompt = "",
    priority: options.Urgency = JobPriority.DEFAULT,
    not_before: options.NotBefore = "",
    webhook: options.Webhook = "",
    password_prompt: options.PasswordPrompt = False,  # noqa: FBT002 - a flag of the command line
    no_text_layer: options.NoTextLayer = False,  # noqa: FBT002 - same
    dpi: options.Dpi = None,
    idempotency_key: options.IdempotencyKey = "",
    watched: options.Watch = False,  # noqa: FBT002 - same
    output: options.OutputFolder = None,
    form: options.Form = ResultFormat.MARKDOWN,
    as_json: options.AsJson = False,  # noqa: FBT002 - same
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Hand in documents."""
    if task is TaskType.LOCATE and not ref_text:
        raise typer.BadParameter("`--task locate` needs it: the words to look for.", param_hint="--ref-text")
    if idempotency_key and len(files) > 1:
        raise typer.BadParameter("One key makes one job: name one file.", param_hint="--idempotency-key")
    request = JobRequest(
        prompt=prompt,
        model=model,
        model_size=size,
        task_type=task,
        ref_text=ref_text,
        languages=tuple(code for said in languages or () for code in said.split(",") if code),
        pages=pages,
        priority=priority,
        not_before=moment_or_usage_error(not_before),
        webhook_url=webhook,
        password=_asked_password() if password_prompt else "",
        text_layer=not no_text_layer,
        dpi=dpi,
    )
    stays = watched or output is not None
    plan = Plan(files, request, stays, output, form, as_json, idempotency_key)
    with client_for(api_base, api_key) as client:
        raise typer.Exit(carried_out(plan, client))


@jobs_app.command("watch", help=texts.WATCH, epilog=EPILOG)
def watch_command(
    job_id: options.JobId,
    as_json: options.AsJson = False,  # noqa: FBT002 - a flag of the command line
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Show how a job goes until it ends."""
    with _calling(job_id, api_base, api_key) as client:
        job = watch(client, job_id, as_json=as_json)
    raise typer.Exit(exit_status(job))


@jobs_app.command(help=texts.GET, epilog=EPILOG)
def get(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    job_id: options.JobId,
    form: options.Form = ResultFormat.MARKDOWN,
    output: options.OutputFile = None,
    partial: options.Partial = False,  # noqa: FBT002 - a flag of the command line
    page: options.PageNumber = None,
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Fetch the text of a job."""
    with _calling(job_id, api_base, api_key) as client:
        if page is None and output is not None:
            client.jobs.save(job_id, output, form, partial=partial)
            return
        data = (
            client.jobs.download(job_id, form, partial=partial)
            if page is None
            else _page_as(client.jobs.page(job_id, page), form)
        )
    if output is not None:
        output.write_bytes(data)
        return
    _written(data if data.endswith(b"\n") else data + b"\n")


@jobs_app.command(help=texts.PICTURE, epilog=EPILOG)
def picture(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    job_id: options.JobId,
    page: options.ThisPage,
    output: options.OutputFile = None,
    dpi: options.PictureDpi = None,
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Fetch a page as it looks."""
    if output is None and sys.stdout.isatty():
        raise typer.BadParameter("A picture is nothing for a terminal: name a file.", param_hint="--output")
    with _calling(job_id, api_base, api_key) as client:
        data = client.jobs.picture(job_id, page, dpi=dpi).data
    if output is not None:
        output.write_bytes(data)
    else:
        _written(data)


@jobs_app.command(epilog=EPILOG)
def status(
    job_id: options.JobId,
    as_json: options.AsJson = False,  # noqa: FBT002 - a flag of the command line
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Say how a job stands, once."""
    with _calling(job_id, api_base, api_key) as client:
        _tell(client.jobs.get(job_id), as_json=as_json)


@jobs_app.command("list", help=texts.LIST, epilog=EPILOG)
def list_command(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    status: options.Status = None,
    limit: options.Limit = 20,
    everything: options.Everything = False,  # noqa: FBT002 - a flag of the command line
    as_json: options.AsJson = False,  # noqa: FBT002 - same
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """List your jobs."""
    with _calling("jobs", api_base, api_key) as client:
        found = client.jobs.all(status=status)
        jobs = found if everything else islice(found, limit)
        for number, job in enumerate(jobs):
            if not number and not as_json:
                typer.echo(_row("STATUS", "PAGES", "CREATED", "ID"))
            typer.echo(json.dumps(job.raw, ensure_ascii=False) if as_json else _as_row(job))
        if not everything and next(found, None) is not None:
            say(f"These are the newest {limit}; --all shows the others too.")


@jobs_app.command(epilog=EPILOG)
def cancel(
    job_id: options.JobId,
    as_json: options.AsJson = False,  # noqa: FBT002 - a flag of the command line
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Stop a job; pages that are done stay, and `pecia jobs resume` reads the others."""
    with _calling(job_id, api_base, api_key) as client:
        _tell(client.jobs.cancel(job_id), as_json=as_json)


@jobs_app.command(help=texts.RESUME, epilog=EPILOG)
def resume(
    job_id: options.JobId,
    page: options.PageNumber = None,
    as_json: options.AsJson = False,  # noqa: FBT002 - a flag of the command line
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Read once more what failed or was cancelled."""
    with _calling(job_id, api_base, api_key) as client:
        job = client.jobs.resume(job_id) if page is None else client.jobs.rerun(job_id, page)
        _tell(job, as_json=as_json)


@jobs_app.command(epilog=EPILOG)
def delete(
    job_id: options.JobId,
    yes: options.Yes = False,  # noqa: FBT002 - a flag of the command line
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Delete a job that ended, with its text; one that runs is cancelled instead."""
    if not yes:
        typer.confirm(f"Delete {job_id} and its text?", abort=True, err=True)
    with _calling(job_id, api_base, api_key) as client:
        say(client.jobs.delete(job_id))


@contextmanager
def _calling(about: str, api_base: str | None, api_key: str | None) -> Iterator[RestClient]:
    """A client; what the gateway refuses is told, and the command ends with 1."""
    with client_for(api_base, api_key) as client:
        try:
            yield client
        except PeciaError as error:
            report(about, error)
            raise typer.Exit(1) from error


def _written(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _asked_password() -> str:
    return str(typer.prompt("Password of the PDF", hide_input=True, err=True))


def _tell(job: Job, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(job.raw, ensure_ascii=False))
    else:
        typer.echo(ending(job) if job.ended else _standing(job))


def _standing(job: Job) -> str:
    failed = f", {len(job.failed_pages)} failed" if job.failed_pages else ""
    return f"{job.status}: {job.processed_pages} of {job.total_pages} pages{failed} ({job.progress:.0f} %)"


def _as_row(job: Job) -> str:
    pages = f"{job.processed_pages}/{job.total_pages}"
    shown = "partial" if job.partial else job.status
    return _row(shown, pages, clock(job.created_at), printable(job.job_id))


def _row(status: str, pages: str, created: str, job_id: str) -> str:
    return f"{status:<11}{pages:>11}  {created:<16}  {job_id}"


def _page_as(read: PageReading, form: ResultFormat) -> bytes:
    match form:
        case ResultFormat.MARKDOWN:
            return (read.markdown or read.text).encode()
        case ResultFormat.TEXT:
            return read.text.encode()
        case ResultFormat.JSON:
            return json.dumps(read.raw, ensure_ascii=False).encode()
        case ResultFormat.CSV:
            return (document_csv(Document((read.layout,))) if read.layout else "").encode()
