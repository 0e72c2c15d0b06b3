"""Since when pages wait."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column. Rows that are there, and those of older code, have none."""
    op.add_column("page_ready", sa.Column("since", sa.Double(), nullable=True))
