"""Where results are kept: runs and their launches, raw, in one SQLite file (any SQLAlchemy URL by and by)."""

from edgeprof.store.store import RunRow, Store, default_url, open_store
from edgeprof.store.tables import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "RunRow", "Store", "default_url", "open_store"]
