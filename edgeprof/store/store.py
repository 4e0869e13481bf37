"""Writing and reading runs. Every launch is committed by itself: a crash loses no finished one."""

import os
import secrets
import socket
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from edgeprof.errors import StoreError, UsageError
from edgeprof.records import RawLaunch, RunResult
from edgeprof.store import documents
from edgeprof.store.tables import SCHEMA_VERSION, launches, metadata, runs, schema

_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line of `run list`.

    Attributes:
        run_id: Its name.
        created_unix_s: When it began.
        status: `running`, `complete`, `interrupted` or `failed`.
        device: The board's name.
        model: The model's name.
        recipe: How the artifact was made.
        n_launches: Launches stored.
    """

    run_id: str
    created_unix_s: float
    status: str
    device: str
    model: str
    recipe: str
    n_launches: int


def default_url() -> str:
    """Return the store's URL: `EDGEPROF_STORE`, else a file in the user's data folder."""
    from platformdirs import user_data_path  # noqa: PLC0415 - only where no store was named

    return os.environ.get("EDGEPROF_STORE") or f"sqlite:///{user_data_path('edgeprof') / 'results.db'}"


def open_store(url: str | None = None) -> "Store":
    """Open the store at a SQLAlchemy URL or a file's path, and create it where there is none.

    Raises:
        StoreError: It cannot be opened, is no store, or was written by a newer edgeprof.
    """
    text = url or default_url()
    text = text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"
    with _errors(text):
        _make_folder(text)
        engine = sa.create_engine(text)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _tune_sqlite)
        _prepare(engine, text)
    return Store(engine, text)


class Store:
    """An open store. Use as a context manager, or call `close`."""

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._engine = engine
        self.url = url

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def new_run_id(self) -> str:
        """Return a name that no run has: eight hexadecimal digits."""
        return secrets.token_hex(_ID_BYTES)

    def save_run(self, run: RunResult) -> None:
        """Write a run's document (not its launches), new or again."""
        values = {
            "created_unix_s": run.created_unix_s,
            "status": run.status,
            "owner": _owner(),
            "device": run.device,
            "model": run.artifact.model,
            "recipe": run.artifact.recipe,
            "artifact_sha256": run.artifact.sha256,
            "document": documents.dump(replace(run, launches=())),
        }
        with self._begin() as connection:
            done = connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(**values))
            if done.rowcount == 0:
                connection.execute(sa.insert(runs).values(run_id=run.run_id, **values))

    def save_launch(self, run_id: str, launch: RawLaunch) -> None:
        """Write one finished launch; on return it is on the disk."""
        with self._begin() as connection:
            connection.execute(
                sa.insert(launches).values(
                    run_id=run_id,
                    launch_index=launch.index,
                    latency_ns=_packed(launch.latency_ns),
                    warmup_ns=_packed(launch.warmup_ns),
                    document=documents.dump(replace(launch, latency_ns=(), warmup_ns=())),
                )
            )

    def load_run(self, run_id: str) -> RunResult:
        """Return a run with its launches; `run_id` may be shortened as long as it is unique.

        Raises:
            UsageError: There is none, or several begin so.
        """
        with self._begin() as connection:
            prefix = runs.c.run_id.startswith(run_id, autoescape=True)
            found = connection.execute(sa.select(runs).where(prefix).limit(9)).all()
            row = _only(run_id, found)
            stored = connection.execute(
                sa.select(launches).where(launches.c.run_id == row.run_id).order_by(launches.c.launch_index)
            ).all()
        with _unreadable(self.url):
            run = documents.load(RunResult, row.document)
            return replace(run, status=_status(row), launches=tuple(_launch(item) for item in stored))

    def list_runs(self, limit: int | None = None, device: str | None = None, model: str | None = None) -> list[RunRow]:
        """Return the newest runs first, at most `limit`, of one device or model if given."""
        counted = sa.select(launches.c.run_id, sa.func.count().label("n")).group_by(launches.c.run_id).subquery()
        listed = (runs.c[name] for name in ("run_id", "created_unix_s", "status", "owner", "device", "model", "recipe"))
        query = sa.select(*listed, sa.func.coalesce(counted.c.n, 0).label("n_launches"))
        query = query.outerjoin(counted, counted.c.run_id == runs.c.run_id)
        for column, wanted in ((runs.c.device, device), (runs.c.model, model)):
            query = query if wanted is None else query.where(column == wanted)
        with self._begin() as connection:
            rows = connection.execute(query.order_by(runs.c.created_unix_s.desc()).limit(limit)).all()
        return [
            RunRow(
                row.run_id,
                row.created_unix_s,
                _status(row),
                row.device,
                row.model,
                row.recipe,
                row.n_launches,
            )
            for row in rows
        ]

    def remove_run(self, run_id: str) -> str:
        """Delete a run and its launches; return its full name.

        Raises:
            UsageError: There is none, or several begin so.
        """
        full = self.load_run(run_id).run_id
        with self._begin() as connection:
            connection.execute(sa.delete(launches).where(launches.c.run_id == full))
            connection.execute(sa.delete(runs).where(runs.c.run_id == full))
        return full

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with _errors(self.url), self._engine.begin() as connection:
            yield connection


def _make_folder(url: str) -> None:
    database = sa.make_url(url).database
    if url.startswith("sqlite") and database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)


def _tune_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined] # sqlite3's own connection
    for setting in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _prepare(engine: sa.Engine, url: str) -> None:
    with engine.begin() as connection:
        version = _version(connection)
        if version is None:
            metadata.create_all(connection)
            connection.execute(sa.insert(schema).values(version=SCHEMA_VERSION))
        elif version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {url} has schema {version}, this edgeprof knows {SCHEMA_VERSION}",
                "a newer edgeprof wrote it: `pip install --upgrade edgeprof`, or choose another with `--store FILE`",
            )


def _version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema.name):
        return None
    return connection.execute(sa.select(sa.func.max(schema.c.version))).scalar()


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except sa.exc.ArgumentError as exc:
        raise UsageError(f"not a store's URL: `{url}`", "a file's path, or `sqlite:///PATH`") from exc
    except (sa.exc.SQLAlchemyError, OSError) as exc:
        reason = getattr(exc, "orig", None) or exc
        hint = "choose another with `--store FILE` or EDGEPROF_STORE; nothing in it was changed"
        raise StoreError(f"the store {url} cannot be used: {reason}", hint) from exc


@contextmanager
def _unreadable(url: str) -> Iterator[None]:
    try:
        yield
    except ValueError as exc:
        raise StoreError(f"the store {url} holds a run that cannot be read: {exc}") from exc


def _only(run_id: str, found: Sequence[sa.Row[Any]]) -> sa.Row[Any]:
    if not found:
        raise UsageError(f"unknown run: `{run_id}`", "`edgeprof run list` shows all")
    if len(found) > 1 and found[0].run_id != run_id:
        names = ", ".join(row.run_id for row in found)
        raise UsageError(f"several runs begin with `{run_id}`: {names}", "write more digits")
    return found[0]


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.0f}"


def _status(row: Any) -> str:  # noqa: ANN401 - a row of any of the queries above
    """Return the stored status; a `running` one whose process on this host is gone was interrupted."""
    host, pid, started = str(row.owner).rsplit(":", 2)
    if row.status != "running" or host != socket.gethostname():
        return str(row.status)
    try:
        alive = abs(psutil.Process(int(pid)).create_time() - float(started)) < 2
    except psutil.Error:
        alive = False
    return "running" if alive else "interrupted"


def _packed(values: Sequence[int]) -> bytes:
    samples = array("q", values)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _unpacked(data: bytes) -> tuple[int, ...]:
    samples = array("q")
    samples.frombytes(data)
    if sys.byteorder == "big":
        samples.byteswap()
    return tuple(samples)


def _launch(row: sa.Row[Any]) -> RawLaunch:
    launch = documents.load(RawLaunch, row.document)
    return replace(launch, latency_ns=_unpacked(row.latency_ns), warmup_ns=_unpacked(row.warmup_ns))
