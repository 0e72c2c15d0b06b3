"""`pecia keys`: API keys for a gateway that asks for them."""

from typing import Annotated

import typer
from pecia_core.keys import create_key

keys_app = typer.Typer(
    help="API keys for a gateway that asks for them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@keys_app.callback()
def keys() -> None:
    """API keys for a gateway that asks for them."""


@keys_app.command()
def new(
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="NAME", help="Who it is for: letters, digits, dots, dashes.")
    ],
) -> None:
    """Make a key and the lines by which the services know it; nothing is stored or sent.

    Append the lines to a file and name that file in PECIA_AUTH__KEYS_FILE:

      pecia keys new --tenant odoo
    """
    try:
        key, snippet = create_key(tenant)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--tenant") from error
    typer.echo(f"Give this key to its owner; it is shown only now:\n\n  {key}\n", err=True)
    typer.echo("Append these lines to the file that PECIA_AUTH__KEYS_FILE names:\n", err=True)
    typer.echo(snippet.rstrip())
