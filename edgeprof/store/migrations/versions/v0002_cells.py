"""Where a run came from, which cell of which session it is, and its headline; names of any length."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; older runs have no cell, and their headline is computed when a list first asks for it."""
    op.add_column("runs", sa.Column("origin", sa.String(32), nullable=False, server_default="edgeprof"))
    for name in ("session", "cell_sha256", "metric"):
        op.add_column("runs", sa.Column(name, sa.String({"session": 16, "cell_sha256": 64, "metric": 32}[name])))
    for name in ("cost", "cost_low", "cost_high"):
        op.add_column("runs", sa.Column(name, sa.Float))
    op.create_index("ix_runs_cell_sha256", "runs", ["cell_sha256"])
    if op.get_bind().dialect.name != "sqlite":  # which holds texts of any length in all of them
        for name in ("owner", "device", "model", "recipe"):
            op.alter_column("runs", name, type_=sa.Text, existing_nullable=False)
