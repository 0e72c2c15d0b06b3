"""`pecia keys`: API keys in the file that the services read, changed while they run."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pecia_core.errors import PeciaError
from pecia_core.keys import KeyRecord, KeyWish, Scope, make_key, snippet_of
from pecia_identity.audit_log import Act, AuditLog
from pecia_identity.keys_file import KeysFile
from rich.console import Console
from rich.table import Table

from pecia_client.calling import ApiBase, ApiKey, client_for
from pecia_client.settings import ClientSettings

_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
_NO_FILE = "Say which file: --file, or PECIA_AUTH__KEYS_FILE."
_SETTLE_S = 10.0

keys_app = typer.Typer(
    help="API keys for services that ask for them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
KeysPath = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="The keys file.", show_default="PECIA_AUTH__KEYS_FILE"),
]


@keys_app.callback()
def keys() -> None:
    """API keys for services that ask for them. Running services notice within seconds."""


def create(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="NAME", help="Who it is for: letters, digits, dots, dashes.")
    ],
    name: Annotated[
        str, typer.Option("--name", help="What for. Two keys of one tenant and name may be live.")
    ] = "",
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="May be repeated.", show_default="ocr and jobs"),
    ] = None,
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="WHEN", help="90d, or 2027-01-31.", show_default="never"),
    ] = "",
    trusted: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--trusted", help="For a service of the platform: its word on the tenant counts.")
    ] = False,
    file: KeysPath = None,
) -> None:
    """Make a key and put its hash into the keys file; without a file, print the lines to be put there.

    pecia keys create --tenant odoo --name invoices --expires 90d
    """
    wish = {"scopes": tuple(scope)} if scope else {}
    try:
        wanted = KeyWish(tenant=tenant, name=name, expires=_moment(expires), trusted=trusted, **wish)
        path = file or ClientSettings().keys_file
        key, record = KeysFile(path).create(wanted) if path else make_key(wanted)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error
    _audit("key.created", record)
    typer.echo(f"Give this key to its owner; it is shown only now:\n\n  {key}\n", err=True)
    if path:
        typer.echo(f"Its hash is in {path}; its id is {record.id}.", err=True)
        return
    typer.echo("Append these lines to the file that PECIA_AUTH__KEYS_FILE names:\n", err=True)
    typer.echo(snippet_of(record).rstrip())


keys_app.command("create")(create)
keys_app.command("new", hidden=True)(create)


@keys_app.command("list")
def list_keys(file: KeysPath = None, api_base: ApiBase = None, api_key: ApiKey = None) -> None:
    """List the keys: whose, what for, until when. With a key of the scope admin also when they were used."""
    try:
        records = KeysFile(_path(file)).records()
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error
    used = _used(api_base, api_key)
    table = Table("id", "tenant", "name", "scopes", "state", "created", "last used", box=None, pad_edge=False)
    now = datetime.now(UTC)
    for record in records:
        ended = record.ended(now)
        until = f"until {record.expires:%Y-%m-%d}" if record.expires else "live"
        scopes = ", ".join((*record.scopes, *(["trusted"] if record.trusted else [])))
        made = f"{record.created:%Y-%m-%d}" if record.created else ""
        table.add_row(
            record.id, record.tenant, record.name, scopes, ended or until, made, used.get(record.id, "")
        )
    Console().print(table)


@keys_app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], file: KeysPath = None) -> None:
    """Take a key back by its id, the part between the underscores. It stops working within seconds."""
    try:
        record = KeysFile(_path(file)).revoke(key_id)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from error
    _audit("key.revoked", record)
    typer.echo(f"Key {record.id} of {record.tenant} is revoked.", err=True)


def _path(file: Path | None) -> Path:
    path = file or ClientSettings().keys_file
    if path is None:
        raise typer.BadParameter(_NO_FILE)
    if not path.exists():
        raise typer.BadParameter(f"There is no keys file at {path}. `pecia keys create` makes one.")
    return path


def _moment(said: str) -> datetime | None:
    """When a key ends. Raises ValueError."""
    if not said:
        return None
    if days := _DAYS.fullmatch(said):
        return datetime.now(UTC).replace(microsecond=0) + timedelta(days=int(days[1]))
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise ValueError("--expires takes days, as in 90d, or a date, as in 2027-01-31.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _used(api_base: str | None, api_key: str | None) -> dict[str, str]:
    """When keys were used, as the gateway tells operators; nothing where nobody may ask."""
    settings = ClientSettings()
    if not (api_key or settings.api_key):
        return {}
    try:
        with client_for(api_base, api_key) as client:
            found = client.administration.keys()
    except PeciaError as error:
        typer.echo(f"When they were used is not known: {error.message}", err=True)
        return {}
    used = {one["id"]: one["last_used_at"] for one in found if one["last_used_at"]}
    return {name: f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}" for name, moment in used.items()}


def _audit(what: str, record: KeyRecord) -> None:
    """Into the services' own log, where PECIA_AUDIT__FILE names it."""
    log = AuditLog(ClientSettings().audit, "pecia keys")
    scopes = {"scopes": [scope.value for scope in record.scopes]}
    log.record(Act(what, tenant=record.tenant, key=record.id, target=record.id, detail=scopes))
    log.close(_SETTLE_S)
