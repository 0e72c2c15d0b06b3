"""What alembic runs: the connection comes from `migrations.upgrade`."""

from alembic import context

from pecia_jobs.migrations import VERSION_TABLE
from pecia_jobs.schema import metadata

# SQLite changes a table by copying it: `render_as_batch`.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
context.run_migrations()
