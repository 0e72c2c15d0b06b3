"""`python -m pecia_client` is the `pecia` command."""

from pecia_client.cli import app

app()
