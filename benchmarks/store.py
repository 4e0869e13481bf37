"""How long a store of 10,000 runs takes to be listed and filtered, on SQLite and PostgreSQL. `python -m benchmarks.store`.

Every run has 8 launches of 500 samples, as they are stored.
"""

import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from benchmarks.timing import seconds
from edgeprof.store import RunFilter, documents, open_store
from edgeprof.store.store import _packed
from tests import postgres
from tests.unit.test_store import LAUNCH, RUN

RUNS, LAUNCHES, SAMPLES = 10_000, 8, 500
REPEATS = 7

Ask = Callable[[], Sequence[object]]


def main() -> None:
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, {RUNS} runs of {LAUNCHES} launches"
    )
    with tempfile.TemporaryDirectory() as folder:
        times("SQLite", f"sqlite:///{folder}/r.db")
    if reason := postgres.missing():
        print(reason)
        return
    with postgres.running() as url:
        times("PostgreSQL", url)


def times(name: str, url: str) -> None:
    with open_store(url) as store:
        fill(store._engine)
        asked: tuple[tuple[str, Ask], ...] = (
            ("all listed", store.list_runs),
            ("newest 30", lambda: store.list_runs(30)),
            ("of one device", lambda: store.list_runs(wanted=RunFilter(device="d7"))),
            (
                "of one model, complete, newest 30",
                lambda: store.list_runs(30, RunFilter(model="m3", status="complete")),
            ),
        )
        for what, ask in asked:
            found = [seconds(ask) for _ in range(REPEATS)]
            print(f"{name}: {what}: median {1000 * statistics.median(found):.0f} ms ({len(ask())} runs)")


def fill(engine: sa.Engine) -> None:
    from edgeprof.store.tables import launches, runs

    document = documents.dump(replace(RUN, launches=()))
    samples, launch = (
        _packed(range(10**6, 10**6 + SAMPLES)),
        documents.dump(replace(LAUNCH, latency_ns=(), warmup_ns=())),
    )
    for start in range(0, RUNS, 500):
        numbers = range(start, start + 500)
        with engine.begin() as connection:
            connection.execute(
                sa.insert(runs),
                [
                    {"run_id": f"{n:08x}", "created_unix_s": float(n), "status": "complete", "owner": "h:1:1", "device": f"d{n % 100}",
                     "model": f"m{n % 20}", "recipe": "int8", "artifact_sha256": f"{n % 300:064}", "document": document,
                     "metric": "latency_ns", "cost": 1e6, "cost_low": 9e5, "cost_high": 1.1e6}
                    for n in numbers
                ],
            )  # fmt: skip
            connection.execute(
                sa.insert(launches),
                [
                    {"run_id": f"{n:08x}", "launch_index": i, "latency_ns": samples, "warmup_ns": b"", "document": launch}
                    for n in numbers for i in range(LAUNCHES)
                ],
            )  # fmt: skip


if __name__ == "__main__":
    main()
