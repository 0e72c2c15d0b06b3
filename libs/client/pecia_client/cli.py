"""The `pecia` command. Results go to standard output, everything else to standard error."""

import os
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from pecia_core.errors import PeciaError
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import ModelSize, TaskType
from rich.console import Console
from rich.table import Table

from pecia_client.audit import audit_app
from pecia_client.calling import EPILOG, ApiBase, ApiKey, client_for
from pecia_client.jobs_cli import jobs_app
from pecia_client.keys import keys_app
from pecia_client.outputs import FolderOutput, Format, StreamOutput
from pecia_client.runs import Run, report, run
from pecia_client.tenants import tenants_app

_OCR_HELP = """Read pictures and short PDFs (up to 8 pages); `pecia jobs submit` takes longer ones.

[bold]Examples[/bold]

  pecia ocr receipt.jpg                          its text, on the screen
  pecia ocr scans/*.png -o texts                 one texts/NAME.txt each
  pecia ocr page.png -f markdown                 with headings and tables
  pecia ocr page.png -f json | jq .pages         lines, boxes, confidence
  pecia ocr page.png -t locate --ref-text Total  where a word stands
  curl -s $URL | pecia ocr -                     from a pipe

Exit code: 0 = all files were read, 1 = some were not, 2 = the command was wrong.
"""

app = typer.Typer(
    name="pecia",
    help="Pictures and PDFs in, their text out.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(jobs_app, name="jobs")
app.add_typer(keys_app, name="keys")
app.add_typer(audit_app, name="audit")
app.add_typer(tenants_app, name="tenants")


@app.callback(invoke_without_command=True)
def root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Pictures and PDFs in, their text out."""
    if show_version:
        typer.echo(version("pecia-client"))
        raise typer.Exit


@app.command(help=_OCR_HELP, epilog=EPILOG)
def ocr(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Pictures or PDFs; - is standard input.")
    ],
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write one file each into this folder."),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Who reads: see `pecia models`.")] = "auto",
    size: Annotated[
        ModelSize | None,
        typer.Option(
            "--size", case_sensitive=False, help="How closely a DeepSeek model looks.", show_default=False
        ),
    ] = None,
    task: Annotated[
        TaskType | None,
        typer.Option(
            "--task", "-t", help="What is wanted; by default what the format needs.", show_default=False
        ),
    ] = None,
    ref_text: Annotated[str, typer.Option("--ref-text", help="What `--task locate` looks for.")] = "",
    language: Annotated[
        list[str] | None,
        typer.Option(
            "--language", "-l", metavar="CODE", help="Language of the text, such as ind; may be repeated."
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, max=64, help="Files on their way at the same time.")
    ] = 2,
    no_cache: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--no-cache", help="Have every page read, although its result may be kept.")
    ] = False,
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Read pictures and short PDFs."""
    task = task or form.task
    if task is TaskType.LOCATE and not ref_text:
        raise typer.BadParameter("`--task locate` needs it: the words to look for.", param_hint="--ref-text")
    options = RecognizeOptions(model, task, size, ref_text, tuple(language or ()))
    sink = (
        FolderOutput(output, form, ["stdin" if name == "-" else name for name in files])
        if output
        else StreamOutput(sys.stdout, form, several=len(files) > 1)
    )
    with client_for(api_base, api_key, cache=not no_cache) as client:
        failed = run(Run(tuple(files), options, concurrency, sink, buffered=output is None), client)
    raise typer.Exit(1 if failed else 0)


@app.command(epilog=EPILOG)
def models(api_base: ApiBase = None, api_key: ApiKey = None) -> None:
    """List the models this gateway answers to."""
    with client_for(api_base, api_key) as client:
        try:
            cards = client.models()
        except PeciaError as error:
            report(client.base_url, error)
            raise typer.Exit(1) from error
    table = Table("model", "engine", "state", box=None, pad_edge=False)
    for card in cards:
        table.add_row(card.id, card.engine, card.state)
    Console().print(table)


@app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def up(context: typer.Context) -> None:
    """Start everything on this machine: `pecia up --help` lists the options."""
    if find_spec("pecia_standalone") is None:
        typer.echo(
            "The services are not installed here, only the client.\n"
            "Install pecia-standalone beside it, or run `make up` in a checkout.",
            err=True,
        )
        raise typer.Exit(1)
    # The supervisor takes this process over, so that signals and the exit code are its own.
    os.execv(sys.executable, [sys.executable, "-m", "pecia_standalone", *context.args])  # noqa: S606 - our own module
