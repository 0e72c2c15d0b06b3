"""Reviews."""

from alembic import op

from pecia_jobs.schema import review

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make their table, where the first step was taken before there was one."""
    review.create(op.get_bind(), checkfirst=True)
