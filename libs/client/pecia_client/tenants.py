"""`pecia tenants`: what there is of a tenant, and its deletion with a receipt."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pecia_core.errors import PeciaError

from pecia_client.admin import Administration
from pecia_client.calling import ApiBase, ApiKey, client_for
from pecia_client.runs import report

tenants_app = typer.Typer(
    help="Tenants, for operators: needs a key of the scope admin.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Name = Annotated[str, typer.Argument(metavar="NAME")]


@tenants_app.callback()
def tenants() -> None:
    """Tenants, for operators: needs a key of the scope admin."""


@tenants_app.command()
def show(name: Name, api_base: ApiBase = None, api_key: ApiKey = None) -> None:
    """Count what there is of a tenant, as JSON."""
    with _administration(api_base, api_key) as administration:
        typer.echo(json.dumps(administration.tenant(name), indent=2))


@tenants_app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - a flag of the command line
    api_base: ApiBase = None,
    api_key: ApiKey = None,
) -> None:
    """Delete all data of a tenant; prints the receipt as JSON.

    Exit code: 0 = nothing is left, 1 = something is: ask again, and see the receipt.
    """
    if not yes:
        typer.confirm(f"Delete everything of {name}? It cannot be had back.", abort=True, err=True)
    with _administration(api_base, api_key) as administration:
        receipt = administration.delete_tenant(name)
    typer.echo(json.dumps(receipt, indent=2))
    raise typer.Exit(0 if receipt["gone"] else 1)


@contextmanager
def _administration(api_base: str | None, api_key: str | None) -> Iterator[Administration]:
    with client_for(api_base, api_key) as client:
        try:
            yield client.administration
        except PeciaError as error:
            report(client.base_url, error)
            raise typer.Exit(1) from error
