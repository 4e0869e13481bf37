"""Writing and reading runs. Every launch is committed by itself: a crash loses no finished one."""

import secrets
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from edgeprof.errors import StoreError, UsageError
from edgeprof.records import RawLaunch, RunResult
from edgeprof.store import documents, owners
from edgeprof.store.engine import IN_MEMORY, WRITES, connected, default_url, errors, exists, full_url, shown
from edgeprof.store.rows import CellRow, RunFilter, RunRow
from edgeprof.store.tables import launches, runs

_ID_BYTES = 4
# Of fewer, a slip names another run than was meant.
_ENOUGH_DIGITS = 4
_LISTED = (
    "run_id", "created_unix_s", "status", "owner", "device", "model", "recipe", "artifact_sha256", "origin", "metric",
    "cost", "cost_low", "cost_high",
)  # fmt: skip
_NOTHING = RunFilter()
# Who is gone left `running` behind, which reads otherwise.
_SEEN_LATER = (owners.RUNNING, owners.INTERRUPTED, owners.ABANDONED)


def open_store(url: str | None = None, *, make: bool = True) -> "Store":
    """Open the store at a SQLAlchemy URL or a file's path.

    Args:
        url: Where it is; `None` for the user's own.
        make: Create it where there is none. Otherwise what is opened is empty, in memory, and leaves no file behind:
            for those who only read.

    Raises:
        UsageError: It is no such URL.
        StoreError: It cannot be opened, is no store, or was written by a newer edgeprof.
    """
    full = full_url(url or default_url())
    there = make or exists(full)
    return Store(connected(full if there else IN_MEMORY, to_read=not make), full)


class Store:
    """An open store, for any number of threads. Use as a context manager, or call `close`.

    Attributes:
        url: Where it is, as it may be shown.
    """

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._engine = engine
        self._full = url
        self.url = shown(url)
        self._is_file = engine.dialect.name == "sqlite"
        self._now = owners.clock(engine.dialect.name)
        self._silent = owners.silent_s(engine.dialect.name).label("silent_s")
        self._heartbeat = owners.Heartbeat(self._renew)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or the server."""
        self._heartbeat.stop()
        self._engine.dispose()

    def new_run_id(self) -> str:
        """Return a name that no run has: eight hexadecimal digits."""
        return secrets.token_hex(_ID_BYTES)

    def save_run(self, run: RunResult) -> None:
        """Write a run's document (not its launches), new or again."""
        values = {
            "created_unix_s": run.created_unix_s,
            "status": run.status,
            "owner": owners.this_process(),
            "seen_unix_s": self._now,
            "device": run.device,
            "model": run.artifact.model,
            "recipe": run.artifact.recipe,
            "artifact_sha256": run.artifact.sha256,
            "document": documents.dump(replace(run, launches=())),
            "origin": run.origin,
            "session": run.session,
            "cell_sha256": run.cell_sha256,
            **(_headline(run) if run.status != "running" else {}),
        }
        with self._begin(writes=True) as connection:
            done = connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(**values))
            if done.rowcount == 0:
                connection.execute(sa.insert(runs).values(run_id=run.run_id, **values))
        if run.status == owners.RUNNING and not self._is_file:
            self._heartbeat.start()

    def add_run(self, run: RunResult) -> bool:
        """Write a finished run with its launches; return whether it was new.

        Raises:
            UsageError: Another run has its name.
        """
        with self._begin() as connection:
            there = connection.execute(sa.select(runs.c.run_id).where(runs.c.run_id == run.run_id)).first()
        if there:
            if self.load_run(run.run_id) != run:
                raise UsageError(f"the store holds another run {run.run_id}", "remove that one first")
            return False
        self.save_run(replace(run, status="interrupted"))
        for launch in run.launches:
            self.save_launch(run.run_id, launch)
        self.save_run(run)
        return True

    def save_launch(self, run_id: str, launch: RawLaunch) -> None:
        """Write one finished launch; on return it is on the disk."""
        with self._begin(writes=True) as connection:
            connection.execute(
                sa.insert(launches).values(
                    run_id=run_id,
                    launch_index=launch.index,
                    latency_ns=_packed(launch.latency_ns),
                    warmup_ns=_packed(launch.warmup_ns),
                    document=documents.dump(replace(launch, latency_ns=(), warmup_ns=())),
                )
            )
            connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(seen_unix_s=self._now))

    def drop_launches(self, run_id: str, first: int) -> None:
        """Delete a run's launches from index `first` on."""
        late = (launches.c.run_id == run_id) & (launches.c.launch_index >= first)
        with self._begin(writes=True) as connection:
            connection.execute(sa.delete(launches).where(late))

    def load_run(self, run_id: str) -> RunResult:
        """Return a run with its launches; `run_id` may be shortened as long as it is unique.

        Raises:
            UsageError: There is none, or several begin so.
        """
        with self._begin() as connection:
            prefix = runs.c.run_id.startswith(run_id, autoescape=True)
            found = connection.execute(sa.select(runs, self._silent).where(prefix).limit(9)).all()
            row = _only(run_id, found)
            stored = connection.execute(
                sa.select(launches).where(launches.c.run_id == row.run_id).order_by(launches.c.launch_index)
            ).all()
        with _unreadable(self.url):
            run = documents.load(RunResult, row.document)
            return replace(run, status=self._status(row), launches=tuple(_launch(item) for item in stored))

    def list_runs(self, limit: int | None = None, wanted: RunFilter = _NOTHING, *, offset: int = 0) -> list[RunRow]:
        """Return the newest runs first, at most `limit` after the first `offset`; no sample is read for it."""
        counted = sa.select(sa.func.count()).where(launches.c.run_id == runs.c.run_id).scalar_subquery()
        columns = (*(runs.c[name] for name in _LISTED), self._silent, counted.label("n_launches"))
        query = sa.select(*columns).where(*_conditions(wanted)).order_by(runs.c.created_unix_s.desc(), runs.c.run_id)
        sifted = wanted.status in _SEEN_LATER  # here, and not by the database: so is the limit then
        with self._begin() as connection:
            rows = connection.execute(query if sifted else query.limit(limit).offset(offset)).all()
        found = [_row(row, self._status(row)) for row in rows]
        if not sifted:
            return found
        return [row for row in found if row.status == wanted.status][offset : None if limit is None else offset + limit]

    def describe(self, run_ids: Sequence[str]) -> list[RunResult]:
        """Return runs without their launches: what was measured on what, and no sample."""
        query = sa.select(runs.c.document).where(runs.c.run_id.in_(run_ids))
        with self._begin() as connection, _unreadable(self.url):
            return [documents.load(RunResult, row.document) for row in connection.execute(query).all()]

    def distinct(self, name: str) -> list[str]:
        """Return the values of a column of names: `device`, `model`, `recipe`."""
        with self._begin() as connection:
            return list(connection.execute(sa.select(runs.c[name]).distinct().order_by(runs.c[name])).scalars())

    def complete_headline(self, row: RunRow) -> RunRow:
        """Return a row that an older edgeprof left without its headline, with it; this reads the run's samples."""
        found = _headline(self.load_run(row.run_id))
        return replace(row, **found)  # type: ignore[arg-type] # names and kinds are those of the columns

    def find_cells(self, keys: Sequence[str]) -> list[CellRow]:
        """Return the runs of cells (`RunResult.cell_sha256`), the newest first."""
        names = ("run_id", "created_unix_s", "status", "owner", "session", "cell_sha256")
        query = sa.select(*(runs.c[name] for name in names), self._silent).where(runs.c.cell_sha256.in_(keys))
        with self._begin() as connection:
            rows = connection.execute(query.order_by(runs.c.created_unix_s.desc())).all()
        return [
            CellRow(r.run_id, r.created_unix_s, self._status(r), r.session, r.cell_sha256, owners.host_of(r.owner))
            for r in rows
        ]

    def remove_run(self, run_id: str) -> str:
        """Delete a run and its launches; return its full name.

        Raises:
            UsageError: There is none, several begin so, or so few digits would remove one by a slip.
        """
        full = self.load_run(run_id).run_id
        if run_id != full and len(run_id) < _ENOUGH_DIGITS:
            text = f"`{run_id}` is too little to remove a run by: what is removed does not come back"
            raise UsageError(text, f"four digits at least: `edgeprof run remove {full}`")
        with self._begin(writes=True) as connection:
            connection.execute(sa.delete(launches).where(launches.c.run_id == full))
            connection.execute(sa.delete(runs).where(runs.c.run_id == full))
        return full

    def _renew(self) -> None:
        """Say that this process still measures what it measures."""
        mine = (runs.c.owner == owners.this_process()) & (runs.c.status == owners.RUNNING)
        with self._begin(writes=True) as connection:
            connection.execute(sa.update(runs).where(mine).values(seen_unix_s=self._now))

    def _status(self, row: Any) -> str:  # noqa: ANN401 - a row of any of the queries above
        lease_s = owners.DAY_S if self._is_file else owners.LEASE_S
        return owners.status_now(str(row.status), str(row.owner), float(row.silent_s), lease_s)

    @contextmanager
    def _begin(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        options = {WRITES: writes}
        with errors(self._full), self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection


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


def _headline(run: RunResult) -> dict[str, object]:
    """Return the run's headline figure by column; nothing where it has no launches."""
    from edgeprof.stats import latency_estimates, summary_estimates  # noqa: PLC0415 - numpy, which reading does without

    measured = latency_estimates(run.launches, run.plan)[:1] if run.launches else ()
    told = (*run.foreign, *summary_estimates(run.summaries))
    printed = [e for e in told if (e.name, e.statistic) == (run.plan.metric, "median")]
    found = next(iter([*measured, *printed]), None)
    if found is None or found.point is None:
        return {}
    return {"metric": found.name, "cost": found.point, "cost_low": found.low, "cost_high": found.high}


def _conditions(wanted: RunFilter) -> list[sa.ColumnElement[bool]]:
    found = [runs.c[name] == value for name, value in wanted.columns()]
    if wanted.status is not None:
        found.append(runs.c.status.in_({wanted.status, *({owners.RUNNING} if wanted.status in _SEEN_LATER else ())}))
    return found


def _row(row: Any, status: str) -> RunRow:  # noqa: ANN401 - a row of `list_runs`
    figures = (row.metric, row.cost, row.cost_low, row.cost_high)
    names = (row.device, row.model, row.recipe, row.n_launches, row.artifact_sha256, row.origin)
    return RunRow(row.run_id, row.created_unix_s, status, *names, *figures)


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
