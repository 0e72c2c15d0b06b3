"""The tables' history. Alembic runs it inside a transaction somebody else has begun.

Steps only add: tables, columns that may be left out, indexes. So code that is a release behind works on with
tables that a newer one has brought up to date, which is what an upgrade pod by pod and a rollback need.
"""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_log = logging.getLogger(__name__)
VERSION_TABLE = "pecia_jobs_version"


def upgrade(connection: Connection) -> None:
    """To the newest revision; nothing happens where it is there already, or where newer code has been."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    if revision := _unknown(connection, ScriptDirectory.from_config(config)):
        _log.warning(
            "the tables are newer than this code, which works on with them", extra={"revision": revision}
        )
        return
    command.upgrade(config, "head")


def _unknown(connection: Connection, steps: ScriptDirectory) -> str | None:
    """The tables' revision, where this code does not have it."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    current = context.get_current_revision()
    known = {step.revision for step in steps.walk_revisions()}
    return None if current is None or current in known else current
