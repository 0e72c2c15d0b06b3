"""One `pecia ocr`: the files go through, a bar shows how far it is, errors are told as they come."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from pecia_core.errors import PeciaError
from pecia_core.recognition import RecognizeOptions
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pecia_client.batch import Outcome, Source, read_all
from pecia_client.failures import next_step
from pecia_client.reading import Reading
from pecia_client.rest import RestClient

_INTERRUPTED = 130


class Output(Protocol):
    """Where results go: `outputs.StreamOutput` or `outputs.FolderOutput`."""

    def write(self, index: int, name: str, reading: Reading) -> None:
        """One file's result."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for. `buffered`: results go to the screen, which the bar must leave first."""

    files: tuple[str, ...]
    options: RecognizeOptions
    concurrency: int
    output: Output
    buffered: bool


def run(asked: Run, client: RestClient) -> int:
    """Read all files; gives how many failed."""
    sources = [Source(name, sys.stdin.buffer) for name in asked.files]
    notices: set[str] = set()
    kept: list[Outcome] = []
    failed = 0
    with _bar(len(sources)) as bar, _leaving_at_once():
        task = bar.add_task("reading", total=len(sources))
        outcomes = read_all(
            sources,
            lambda data: client.recognize(data, asked.options),
            concurrency=asked.concurrency,
            done=lambda: bar.advance(task),
        )
        for outcome in outcomes:
            if outcome.error:
                failed += 1
                report(outcome.name, outcome.error)
            elif asked.buffered and sys.stdout.isatty() and not bar.disable:
                kept.append(outcome)
            else:
                _deliver(asked.output, outcome, notices)
    for outcome in kept:
        _deliver(asked.output, outcome, notices)
    if len(sources) > 1:
        say(f"{len(sources) - failed} of {len(sources)} files were read.")
    return failed


def report(name: str, error: PeciaError) -> None:
    """One error for a person: what, which code, which request, and what to do next."""
    say(f"{name}: {error.message}")
    known = [f"code {error.code}"] + ([f"request {error.request_id}"] if error.request_id else [])
    say(f"  ({', '.join(known)})")
    if step := next_step(error):
        say(f"  {step}")


def _deliver(output: Output, outcome: Outcome, notices: set[str]) -> None:
    reading = outcome.reading
    if reading is None:
        return
    output.write(outcome.index, outcome.name, reading)
    for notice in reading.warnings:
        if notice.message not in notices:
            notices.add(notice.message)
            say(f"note: {notice.message}")


def say(sentence: str) -> None:
    """A sentence for the person at the terminal, on standard error."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(sentence, markup=False)


def _bar(total: int) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal or total == 0,
    )


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted")
        sys.stdout.flush()
        # Threads still wait for answers; the normal way out would wait for them.
        os._exit(_INTERRUPTED)
