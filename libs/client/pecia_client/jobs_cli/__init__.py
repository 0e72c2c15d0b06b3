"""`pecia jobs`: long documents from the command line."""

from pecia_client.jobs_cli.commands import jobs_app

__all__ = ["jobs_app"]
