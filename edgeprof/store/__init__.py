"""Where results are kept: runs and their launches, raw, in one SQLite file or a team's PostgreSQL."""

from edgeprof.store.documents import read_record, record_text
from edgeprof.store.engine import default_url, shown
from edgeprof.store.rows import STATUSES, CellRow, RunFilter, RunRow
from edgeprof.store.store import Store, open_store
from edgeprof.store.tables import SCHEMA_VERSION

__all__ = [
    "SCHEMA_VERSION",
    "STATUSES",
    "CellRow",
    "RunFilter",
    "RunRow",
    "Store",
    "default_url",
    "open_store",
    "read_record",
    "record_text",
    "shown",
]
