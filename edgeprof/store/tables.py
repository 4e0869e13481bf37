"""The tables, numbered from the first day; `migrations/` leads from each older number to this one."""

import sqlalchemy as sa

# Raised by one whenever a table changes, with a migration of the same number.
SCHEMA_VERSION = 3
# Alembic's name of a number.
REVISION = f"{SCHEMA_VERSION:04}"

metadata = sa.MetaData()

# What every edgeprof looks at before it touches anything, also one that knows no migrations.
schema = sa.Table("edgeprof_schema", metadata, sa.Column("version", sa.Integer, nullable=False))

# Alembic's own.
revision = sa.Table("alembic_version", metadata, sa.Column("version_num", sa.String(32), primary_key=True))

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("created_unix_s", sa.Float, nullable=False, index=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("owner", sa.Text, nullable=False),  # "host:pid:start" of the process that measures; see owners.py
    sa.Column("device", sa.Text, nullable=False, index=True),
    sa.Column("model", sa.Text, nullable=False, index=True),
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("artifact_sha256", sa.String(64), nullable=False, index=True),
    sa.Column("document", sa.Text, nullable=False),  # the RunResult without its launches
    # Since 2:
    sa.Column("origin", sa.String(32), nullable=False, server_default="edgeprof"),
    sa.Column("session", sa.String(16)),
    sa.Column("cell_sha256", sa.String(64), index=True),  # artifact, device, plan and data: what `--resume` asks for
    # The headline, so that a list reads no samples; what a run shows is computed from its samples all the same.
    sa.Column("metric", sa.String(32)),
    sa.Column("cost", sa.Float),
    sa.Column("cost_low", sa.Float),
    sa.Column("cost_high", sa.Float),
    # Since 3: when its host last said, by the database's clock, that it is still measuring it.
    sa.Column("seen_unix_s", sa.Float),
)

launches = sa.Table(
    "launches",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("launch_index", sa.Integer, primary_key=True),
    sa.Column("latency_ns", sa.LargeBinary, nullable=False),  # int64, little endian, one a run
    sa.Column("warmup_ns", sa.LargeBinary, nullable=False),
    sa.Column("document", sa.Text, nullable=False),  # the RawLaunch without its arrays
)
