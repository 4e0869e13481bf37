"""Opening a store: SQLite or PostgreSQL, made where there is none, and brought up to this schema."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from edgeprof.errors import StoreError, UsageError
from edgeprof.store.tables import REVISION, SCHEMA_VERSION, metadata, revision, schema

# An option of ours on a connection: what begins here will write.
WRITES = "edgeprof_writes"
IN_MEMORY = "sqlite://"
_POSTGRES = ("postgres://", "postgresql://")
_DRIVER = "postgresql+psycopg://"
# Any number, the same in every edgeprof: who makes or migrates the tables holds it.
_LOCK = 3_243_926


def default_url() -> str:
    """Return the store's URL: `EDGEPROF_STORE`, else a file in the user's data folder."""
    from platformdirs import user_data_path  # noqa: PLC0415 - only where no store was named

    return os.environ.get("EDGEPROF_STORE") or f"sqlite:///{user_data_path('edgeprof') / 'results.db'}"


def full_url(text: str) -> str:
    """Return the URL of a store that a person named: a path is a file of SQLite's, PostgreSQL means psycopg."""
    if "://" not in text:
        path = str(Path(text).expanduser().absolute())
        return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"  # which a URL gives a meaning of their own
    found = next((start for start in _POSTGRES if text.startswith(start)), None)
    return text if found is None else _DRIVER + text.removeprefix(found)


def exists(url: str) -> bool:
    """Return whether there may be a store at a full URL: `False` only for a file of SQLite's that is not there."""
    with errors(url):
        path = _file(url)
        return path is None or path.exists()


def shown(url: str) -> str:
    """Return a store's name or URL as it may be printed: without its password, a file's path as its folder has it."""
    try:
        if "://" in url and (path := _file(url)) is not None:
            return f"sqlite:///{path}"
        return sa.make_url(url).render_as_string(hide_password=True) if "://" in url else url
    except sa.exc.ArgumentError:
        return url


def connected(url: str, *, to_read: bool = False) -> sa.Engine:
    """Return the engine of a store at a full URL, its tables made or migrated.

    Args:
        url: Where it is.
        to_read: A file of SQLite's in a folder that nobody may write to is read as it lies there.

    Raises:
        UsageError: It is no such URL, or its driver is not installed.
        StoreError: It cannot be used, or was written by a newer edgeprof.
    """
    with errors(url):
        _make_folder(url)
        still = to_read and _lies_still(_file(url))
        engine = sa.create_engine(_as_it_lies(url) if still else url, pool_pre_ping=not url.startswith("sqlite"))
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _tune_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
        _prepare(engine, shown(url))
    return engine


@contextmanager
def errors(url: str) -> Iterator[None]:
    """Turn the library's errors into ours."""
    named = shown(url)
    try:
        yield
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as exc:
        hint = "a file's path, `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/DATABASE`"
        raise UsageError(f"not a store's URL: `{named}`", hint) from exc
    except ModuleNotFoundError as exc:
        if not url.startswith("postgres"):
            hint = (
                "results are kept in SQLite (a file's path) or PostgreSQL (`postgresql+psycopg://USER@HOST/DATABASE`)"
            )
            raise UsageError(f"no store of edgeprof's: `{named}`", hint) from exc
        text = f"the store {named} needs {exc.name}, which is not installed"
        raise UsageError(text, "`pip install 'edgeprof[postgres]'` brings the driver of PostgreSQL") from exc
    except (sa.exc.SQLAlchemyError, OSError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).strip().splitlines() or [type(exc).__name__]
        hint = "choose another with `--store FILE` or EDGEPROF_STORE; what it held is still there"
        raise StoreError(f"the store {named} cannot be used: {reason[0]}", hint) from exc


def _lies_still(path: Path | None) -> bool:
    """Return whether SQLite could not even read a file: it keeps who reads in files beside it, and may make none.

    Source: "Write-Ahead Logging", section "Read-Only Databases", https://www.sqlite.org/wal.html.
    """
    if path is None or not path.exists() or os.access(path.parent, os.W_OK):
        return False
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or log.stat().st_size == 0  # else the file lacks what the log holds


def _as_it_lies(url: str) -> sa.URL:
    found = sa.make_url(url)
    return found.set(database=f"file:{quote(str(found.database))}", query={"immutable": "1", "uri": "true"})


def _make_folder(url: str) -> None:
    path = _file(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)


def _file(url: str) -> Path | None:
    database = sa.make_url(url).database
    return Path(database) if url.startswith("sqlite") and database and database != ":memory:" else None


def _tune_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined] # `_begin_sqlite` begins, not the driver
    cursor = connection.cursor()  # type: ignore[attr-defined] # sqlite3's own connection
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin; who will write waits for the others' writing now, for later SQLite would refuse instead of waiting."""
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(engine: sa.Engine, named: str) -> None:
    with engine.begin() as connection:
        version = _version(connection)
    if version == SCHEMA_VERSION:
        return
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        version = _version(connection)  # another host may just have done it
        if version is None:
            metadata.create_all(connection)
            connection.execute(sa.insert(schema).values(version=SCHEMA_VERSION))
            connection.execute(sa.insert(revision).values(version_num=REVISION))
        elif version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {named} has schema {version}, this edgeprof knows {SCHEMA_VERSION}",
                "a newer edgeprof wrote it: `pip install --upgrade edgeprof`, or choose another with `--store FILE`",
            )
        elif version < SCHEMA_VERSION:
            _migrate(connection, version)


def _version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema.name):
        return None
    return connection.execute(sa.select(sa.func.max(schema.c.version))).scalar()


def _migrate(connection: sa.Connection, version: int) -> None:
    """Lead an older store to this schema, all of it or nothing."""
    from alembic import command  # noqa: PLC0415 - 0.3 s, once in a store's life
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if not sa.inspect(connection).has_table(revision.name):  # the first schema did not say its revision
        command.stamp(config, f"{version:04}")
    command.upgrade(config, REVISION)
    connection.execute(sa.update(schema).values(version=SCHEMA_VERSION))
