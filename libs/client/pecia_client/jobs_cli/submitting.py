"""`pecia jobs submit`: documents in, ids out, and the results too for whoever stays."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer
from pecia_core.errors import InvalidDocument, PeciaError

from pecia_client.batch import STDIN
from pecia_client.jobs.model import Job, JobRequest, ResultFormat
from pecia_client.jobs_cli.moments import moment
from pecia_client.jobs_cli.watching import CANCELLED, COMPLETED, FAILED, PARTIAL, exit_status, watch
from pecia_client.outputs import settled_names
from pecia_client.rest import RestClient
from pecia_client.runs import report, say

# The worst ending of several is the ending of all.
_WORST_FIRST = (FAILED, PARTIAL, CANCELLED, COMPLETED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to submit and what to do then. `folder` None = results are not fetched."""

    files: Sequence[str]
    request: JobRequest
    watched: bool = False
    folder: Path | None = None
    form: ResultFormat = ResultFormat.MARKDOWN
    as_json: bool = False
    idempotency_key: str = ""


def carried_out(plan: Plan, client: RestClient) -> int:
    """Submit all files, stay where that was asked for; gives the exit status."""
    targets = _targets(plan)
    submitted = [(name, job_id) for name in plan.files if (job_id := _submitted(plan, client, name))]
    refused = len(submitted) < len(plan.files)
    endings = {FAILED} if refused else {COMPLETED}
    if plan.watched:
        endings |= {_seen_through(plan, client, job_id, targets.get(name)) for name, job_id in submitted}
    return next(status for status in _WORST_FIRST if status in endings)


def moment_or_usage_error(said: str) -> float | None:
    """`--not-before` as seconds since 1970; a mistake is a usage error."""
    try:
        return moment(said, datetime.now().astimezone()) if said else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--not-before") from error


def _targets(plan: Plan) -> dict[str, Path]:
    if plan.folder is None:
        return {}
    plan.folder.mkdir(parents=True, exist_ok=True)
    labels = ["stdin" if name == STDIN else name for name in plan.files]
    names = settled_names(labels, plan.form.suffix)
    return {name: plan.folder / target for name, target in zip(plan.files, names, strict=True)}


def _submitted(plan: Plan, client: RestClient, name: str) -> str:
    try:
        made = client.jobs.submit(
            _document(name),
            plan.request,
            filename="stdin" if name == STDIN else Path(name).name,
            idempotency_key=plan.idempotency_key,
        )
    except PeciaError as error:
        report(name, error)
        return ""
    if plan.as_json:
        said = {"file": name, "job_id": made.job_id, "message": made.message, "replayed": made.replayed}
        typer.echo(json.dumps(said, ensure_ascii=False))
    else:
        typer.echo(made.job_id)
        if made.replayed:
            say(f"{name}: this job had been made before.")
    return made.job_id


def _document(name: str) -> Path | bytes:
    if name == STDIN:
        return sys.stdin.buffer.read()
    path = Path(name)
    if path.is_dir():
        raise InvalidDocument(f"{name} is a folder; name its files: {path}/*")
    return path


def _seen_through(plan: Plan, client: RestClient, job_id: str, target: Path | None) -> int:
    try:
        job = watch(client, job_id, as_json=plan.as_json)
        if target and _has_result(job):
            client.jobs.save(job_id, target, plan.form)
            say(f"written: {target}")
    except PeciaError as error:
        report(job_id, error)
        return FAILED
    return exit_status(job)


def _has_result(job: Job) -> bool:
    return exit_status(job) in {COMPLETED, PARTIAL}
