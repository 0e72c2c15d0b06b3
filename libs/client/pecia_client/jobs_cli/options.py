"""The options of `pecia jobs`, each said once."""

from pathlib import Path
from typing import Annotated

import typer
from pecia_core.vocabulary import ModelSize, TaskType

from pecia_client.jobs.model import JobPriority, JobStatus, ResultFormat

JobId = Annotated[str, typer.Argument(metavar="ID", help="What `submit` printed.", show_default=False)]
Files = Annotated[
    list[str], typer.Argument(metavar="FILE", help="PDFs, TIFFs or pictures; - is standard input.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")]
Status = Annotated[JobStatus | None, typer.Option("--status", "-s", help="Only these.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")]
Everything = Annotated[bool, typer.Option("--all", "-a", help="All of them, however many.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

Form = Annotated[ResultFormat, typer.Option("--format", "-f", help="What to write.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="What is done so far; pages that are missing are named in it.")
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write into this file.", show_default=False),
]
PageNumber = Annotated[
    int | None,
    typer.Option("--page", "-p", min=1, metavar="N", help="Only this page.", show_default=False),
]
ThisPage = Annotated[int, typer.Option("--page", "-p", min=1, metavar="N", help="Which page, from 1.")]
PictureDpi = Annotated[
    int | None,
    typer.Option("--dpi", min=36, max=200, help="Dots per inch, of PDFs.", show_default=False),
]

Pages = Annotated[str, typer.Option("--pages", "-p", metavar="RANGES", help="Which ones, such as 1-3,7,10-")]
Languages = Annotated[
    list[str] | None,
    typer.Option(
        "--languages", "-l", metavar="CODES", help="Of the text, such as ind,eng.", show_default=False
    ),
]
Model = Annotated[str, typer.Option("--model", "-m", help="Who reads: see `pecia models`.")]
Size = Annotated[
    ModelSize | None,
    typer.Option("--size", case_sensitive=False, help="How closely DeepSeek looks.", show_default=False),
]
Task = Annotated[
    TaskType | None, typer.Option("--task", "-t", help="What is wanted of each page.", show_default=False)
]
RefText = Annotated[str, typer.Option("--ref-text", help="What `--task locate` looks for.")]
Prompt = Annotated[str, typer.Option("--prompt", help="As DeepSeek-OCR takes it, instead of --task.")]
Urgency = Annotated[JobPriority, typer.Option("--priority", help="Which of your jobs goes first.")]
NotBefore = Annotated[
    str,
    typer.Option("--not-before", metavar="WHEN", help="Wait until +2h, 22:00 or 2026-12-24T08:00."),
]
Webhook = Annotated[str, typer.Option("--webhook", metavar="URL", help="Is told when the job ends.")]
PasswordPrompt = Annotated[
    bool, typer.Option("--password-prompt", help="Ask for the password of an encrypted PDF.")
]
NoTextLayer = Annotated[
    bool,
    typer.Option("--no-text-layer", help="Read every page as a picture, although the PDF says its text."),
]
Dpi = Annotated[
    float | None,
    typer.Option("--dpi", min=72, max=600, help="Dots per inch for PDF pages.", show_default=False),
]
IdempotencyKey = Annotated[
    str,
    typer.Option("--idempotency-key", metavar="KEY", help="Make one job of all calls with this key."),
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay and show how it goes.")]
OutputFolder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Stay, and write the results here.",
        show_default=False,
    ),
]
