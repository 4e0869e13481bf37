"""The first schema: runs and launches."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(16), primary_key=True),
        sa.Column("created_unix_s", sa.Float, nullable=False, index=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("device", sa.String(64), nullable=False, index=True),
        sa.Column("model", sa.String(255), nullable=False, index=True),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("artifact_sha256", sa.String(64), nullable=False, index=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "launches",
        sa.Column("run_id", sa.String(16), sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("launch_index", sa.Integer, primary_key=True),
        sa.Column("latency_ns", sa.LargeBinary, nullable=False),
        sa.Column("warmup_ns", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
