"""Which gateway a command calls, and as whom: the options all commands have."""

from typing import Annotated

import typer

from pecia_client.rest import RestClient
from pecia_client.settings import ClientSettings

EPILOG = "An address and a key can also stand in PECIA_API_BASE and PECIA_API_KEY."

ApiBase = Annotated[
    str | None, typer.Option("--api-base", metavar="URL", help="Address of the gateway.", show_default=False)
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", metavar="KEY", help="API key, if it asks for one.", show_default=False),
]


def client_for(api_base: str | None, api_key: str | None, *, cache: bool = True) -> RestClient:
    """A client as the options say, and the environment where they say nothing."""
    settings = ClientSettings()
    known = settings.api_key.get_secret_value() if settings.api_key else None
    return RestClient(
        api_base or settings.api_base,
        api_key=api_key or known,
        timeout_s=settings.api_timeout_s,
        cache=cache,
    )
