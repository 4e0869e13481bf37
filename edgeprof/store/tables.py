"""The tables, numbered from the first day."""

import sqlalchemy as sa

# Raised by one whenever a table changes; a migration then leads from each older number to this one.
SCHEMA_VERSION = 1

metadata = sa.MetaData()

schema = sa.Table("edgeprof_schema", metadata, sa.Column("version", sa.Integer, nullable=False))

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("created_unix_s", sa.Float, nullable=False, index=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("owner", sa.String(255), nullable=False),  # "host:pid:start" of the process that measures
    sa.Column("device", sa.String(64), nullable=False, index=True),
    sa.Column("model", sa.String(255), nullable=False, index=True),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("artifact_sha256", sa.String(64), nullable=False, index=True),
    sa.Column("document", sa.Text, nullable=False),  # the RunResult without its launches
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
