"""When a run's host last said that it is still measuring it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; what an older edgeprof began has no such time."""
    op.add_column("runs", sa.Column("seen_unix_s", sa.Float))
