"""`pecia audit`: whether the record of who did what is whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pecia_identity.chain import last, troubles

from pecia_client.settings import ClientSettings

audit_app = typer.Typer(
    help="The record of who did what.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@audit_app.callback()
def audit() -> None:
    """The record of who did what."""


@audit_app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Oldest first.")],
    ends_with: Annotated[
        str, typer.Option("--ends-with", metavar="HASH", help="The last hash, as you have kept it elsewhere.")
    ] = "",
) -> None:
    """Check that no line is missing, changed, moved or added; prints where the chain ends.

    Lines cut off at the end show only with --ends-with: keep the hash that this command prints somewhere
    else. PECIA_AUDIT__SECRET must be what the services have. Exit code: 0 = whole, 1 = not.
    """
    secret = ClientSettings().audit.secret.get_secret_value().encode()
    lines = _Counted(files)
    found = list(troubles(lines, secret))
    for trouble in found:
        typer.echo(f"line {trouble.line}: {trouble.said}", err=True)
    end = last(lines.last)
    if ends_with and ends_with not in lines.hashes:
        typer.echo("The log does not hold the line that --ends-with names: its end was cut off.", err=True)
        raise typer.Exit(1)
    if found or end is None:
        raise typer.Exit(1)
    typer.echo(f"{lines.count} lines, whole. The last is number {end.number}, with the hash\n{end.hash}")


class _Counted:
    """Lines of several files, counted as they are read."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self.count = 0
        self.last = b""
        self.hashes: set[str] = set()

    def __iter__(self) -> Iterator[bytes]:
        for path in self._files:
            with path.open("rb") as file:
                for line in file:
                    self.count += 1
                    self.last = line
                    if found := last(line):
                        self.hashes.add(found.hash)
                    yield line
