"""A store keeps what was measured, on SQLite and on PostgreSQL alike."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from edgeprof.errors import StoreError, UsageError
from edgeprof.records import Warning_
from edgeprof.store import SCHEMA_VERSION, RunFilter, open_store
from tests.unit.test_store import LAUNCH, RUN


@pytest.fixture
def statements(store):
    """What is sent to the database, as text."""
    sent: list[str] = []
    sa.event.listen(store._engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    return sent


def test_a_run_comes_back_as_it_was_saved(store):
    awkward = "naïve \u0000 \ud800 ✓ 'quoted\" " + 300 * "long"
    run = replace(
        RUN,
        artifact=replace(RUN.artifact, recipe="prune:0.9+cluster:16+" * 9),
        launches=(LAUNCH, replace(LAUNCH, index=1, latency_ns=(2**62, 1))),
        warnings=(Warning_("proot", awkward, ("latency_ns",)),),
        session="s1",
        cell_sha256="cd" * 32,
    )

    store.save_run(replace(run, status="running"))
    for launch in run.launches:
        store.save_launch(run.run_id, launch)
    store.save_run(run)

    assert store.load_run("0011") == run


def test_lists_are_filtered_and_carry_the_headline(store):
    other = replace(RUN, run_id="ffffffff", created_unix_s=9.0, device="nano", status="failed")
    store.save_run(replace(RUN, launches=(LAUNCH, LAUNCH)))
    store.save_launch(RUN.run_id, LAUNCH)
    store.save_run(other)

    assert [row.run_id for row in store.list_runs()] == ["ffffffff", "0011aabb"]
    assert [row.run_id for row in store.list_runs(1, offset=1)] == ["0011aabb"]
    assert [row.run_id for row in store.list_runs(wanted=RunFilter(device="nano"))] == ["ffffffff"]
    assert store.list_runs(wanted=RunFilter(device="nano", status="complete")) == []
    (row,) = store.list_runs(wanted=RunFilter(status="complete", recipe="int8"))
    assert (row.metric, row.cost, row.n_launches) == ("latency_ns", 999_999, 1)


def test_cells_are_found_by_their_hash_the_newest_first(store):
    store.save_run(replace(RUN, cell_sha256="a" * 64, session="one"))
    store.save_run(replace(RUN, run_id="2", cell_sha256="a" * 64, session="two", created_unix_s=2.0))
    store.save_run(replace(RUN, run_id="3"))

    found = store.find_cells(["a" * 64, "b" * 64])

    assert [(row.run_id, row.session) for row in found] == [("2", "two"), ("0011aabb", "one")]


def test_launches_from_an_index_on_are_dropped_and_those_before_and_of_other_runs_stay(store):
    for run_id in (RUN.run_id, "2"):
        store.save_run(replace(RUN, run_id=run_id))
        for index in range(3):
            store.save_launch(run_id, replace(LAUNCH, index=index))

    store.drop_launches(RUN.run_id, 1)
    store.save_launch(RUN.run_id, replace(LAUNCH, index=1, started_unix_ns=99))

    assert [launch.started_unix_ns for launch in store.load_run(RUN.run_id).launches] == [LAUNCH.started_unix_ns, 99]
    assert len(store.load_run("2").launches) == 3


def test_removing_a_run_removes_its_launches(store):
    store.save_run(RUN)
    store.save_launch(RUN.run_id, LAUNCH)

    store.remove_run("0011")
    store.save_run(RUN)

    assert store.load_run("0011").launches == ()


def test_ten_thousand_runs_are_listed_by_one_query_that_reads_no_samples(store, statements):
    insert = (
        "INSERT INTO runs (run_id, created_unix_s, status, owner, device, model, recipe, artifact_sha256, document) "
        "VALUES (:id, :when, 'complete', 'h:1:1', :device, 'm', 'int8', 'x', '{}')"
    )
    rows = [{"id": f"{n:08x}", "when": float(n), "device": f"d{n % 100}"} for n in range(10_000)]
    with store._engine.begin() as connection:
        connection.execute(sa.text(insert), rows)
    statements.clear()

    everything = store.list_runs()
    some = store.list_runs(30, RunFilter(device="d7"))

    assert (len(everything), len(some)) == (10_000, 30)
    assert some[0].run_id == f"{9907:08x}"
    asked = [text for text in statements if text.startswith("SELECT")]
    assert len(asked) == 2
    assert not any("latency_ns" in text or "document" in text for text in asked)


WRITER = """
    import sys
    from dataclasses import replace
    from edgeprof.store import open_store
    from tests.unit.test_store import RUN, LAUNCH
    with open_store(sys.argv[1]) as store:
        for n in range(25):
            run = replace(RUN, run_id=f"{sys.argv[2]}{n:07}", status="running")
            store.save_run(run)
            for index in range(3):
                store.save_launch(run.run_id, replace(LAUNCH, index=index))
            store.save_run(replace(run, status="complete"))
"""


def test_two_hosts_make_the_store_and_write_at_once_and_nothing_is_lost(url):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", textwrap.dedent(WRITER), url]

    writers = [subprocess.Popen([*command, name], env=environment, stderr=subprocess.PIPE) for name in "ab"]
    errors = [writer.communicate(timeout=120)[1].decode() for writer in writers]

    assert errors == ["", ""]
    with open_store(url) as store:
        rows = store.list_runs()
    assert len(rows) == 50
    assert {(row.status, row.n_launches) for row in rows} == {("complete", 3)}


OTHER_HOST = """
    import socket, sys, time
    socket.gethostname = lambda: "other"
    from dataclasses import replace
    from edgeprof.store import open_store, owners
    from tests.unit.test_store import RUN, LAUNCH
    owners.HEARTBEAT_S = 0.1
    store = open_store(sys.argv[1])
    store.save_run(replace(RUN, status="running", session="s", cell_sha256="a" * 64))
    store.save_launch(RUN.run_id, LAUNCH)
    print("measuring", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def other_host(url):
    """A process on a host of another name that is measuring a run into the same store."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", textwrap.dedent(OTHER_HOST), url]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "measuring\n"
        yield process
        process.kill()


def silence(store, seconds: float) -> None:
    """Let so much time pass since anybody was heard of."""
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET seen_unix_s = seen_unix_s - :s"), {"s": seconds})


def test_a_run_on_another_host_is_abandoned_when_nobody_has_renewed_its_lease(other_host, store):
    before = store.list_runs()
    other_host.kill()
    other_host.wait()
    silence(store, 25 * 3600)

    assert [row.status for row in before] == ["running"]
    assert [row.status for row in store.list_runs()] == ["abandoned"]
    assert store.load_run(RUN.run_id).status == "abandoned"
    assert store.load_run(RUN.run_id).launches == (LAUNCH,)
    (cell,) = store.find_cells(["a" * 64])
    assert (cell.status, cell.host) == ("abandoned", "other")
    assert len(store.list_runs(1, RunFilter(status="abandoned"))) == 1
    assert store.list_runs(1, RunFilter(status="running")) == []


def test_on_a_server_who_measures_renews_the_lease_by_the_servers_clock(other_host, store):
    if store._engine.dialect.name == "sqlite":
        pytest.skip("a file is one host's")
    silence(store, 3600)
    deadline = time.monotonic() + 60

    while store.list_runs()[0].status != "running" and time.monotonic() < deadline:
        time.sleep(0.05)

    assert store.list_runs()[0].status == "running"


def test_the_newest_of_a_status_that_is_only_seen_later_are_as_many_as_were_asked_for(store):
    for n in range(6):
        run = replace(RUN, run_id=f"{n:08}", created_unix_s=float(n), status=("running", "interrupted")[n % 2])
        store.save_run(run)

    newest = store.list_runs(2, RunFilter(status="interrupted"))
    next_ones = store.list_runs(2, RunFilter(status="running"), offset=1)

    assert [row.run_id for row in newest] == ["00000005", "00000003"]
    assert [row.run_id for row in next_ones] == ["00000002", "00000000"]


def test_a_run_that_an_older_edgeprof_began_elsewhere_gets_a_day(store):
    store.save_run(replace(RUN, status="running", created_unix_s=time.time() - 3600))
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET owner = 'other:1:1', seen_unix_s = NULL"))

    young = store.list_runs()[0].status
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET created_unix_s = created_unix_s - 200000"))

    assert (young, store.list_runs()[0].status) == ("running", "abandoned")


def test_threads_of_one_host_write_at_once(store):
    def write(name: str) -> None:
        run = replace(RUN, run_id=name)
        store.save_run(run)
        for index in range(3):
            store.save_launch(name, replace(LAUNCH, index=index))

    threads = [threading.Thread(target=write, args=(f"{n:08}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {row.n_launches for row in store.list_runs()} == {3}


def test_a_store_of_the_first_schema_is_migrated_with_all_that_it_holds(url):
    first_schema(url)

    with open_store(url) as store:
        run = store.load_run("0011aabb")
        store.save_run(replace(run, run_id="2", session="s", cell_sha256="a" * 64))
        rows = store.list_runs()
        version, differences = schema_of(store._engine)

    assert run == replace(RUN, launches=(LAUNCH,))
    assert [(row.run_id, row.origin) for row in rows] == [("0011aabb", "edgeprof"), ("2", "edgeprof")]
    assert version == SCHEMA_VERSION
    assert differences == []


def test_a_new_store_is_what_the_migrations_lead_to(store):
    version, differences = schema_of(store._engine)

    assert version == SCHEMA_VERSION
    assert differences == []


def test_a_migration_that_fails_leaves_the_store_as_it_was(url):
    first_schema(url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:  # in the way of the second schema's index
        connection.execute(sa.text("CREATE INDEX ix_runs_cell_sha256 ON runs (status)"))

    with pytest.raises(StoreError, match="already exists"):
        open_store(url)

    columns = {column["name"] for column in sa.inspect(engine).get_columns("runs")}
    engine.dispose()
    assert "session" not in columns


def first_schema(url: str) -> None:
    """Make a store as the first edgeprof left it, with a run in it."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    from edgeprof.store import documents, store
    from edgeprof.store.migrations.versions import v0001_first

    engine = sa.create_engine(url)
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            v0001_first.upgrade()
        connection.execute(sa.text("CREATE TABLE edgeprof_schema (version INTEGER NOT NULL)"))
        connection.execute(sa.text("INSERT INTO edgeprof_schema VALUES (1)"))
        document = json.loads(documents.dump(replace(RUN, launches=())))
        for name in ("session", "cell_sha256", "origin"):
            del document[name]
        connection.execute(
            sa.text("INSERT INTO runs VALUES ('0011aabb', 1.5, 'complete', 'h:1:1', 'pi5', 'm', 'int8', 'ab', :text)"),
            {"text": json.dumps(document)},
        )
        connection.execute(
            sa.text("INSERT INTO launches VALUES ('0011aabb', 0, :latency, :warmup, :text)"),
            {
                "latency": store._packed(LAUNCH.latency_ns),
                "warmup": store._packed(LAUNCH.warmup_ns),
                "text": documents.dump(replace(LAUNCH, latency_ns=(), warmup_ns=())),
            },
        )
    engine.dispose()


def schema_of(engine: sa.Engine) -> tuple[int, list]:
    """Return a store's number, and where its tables differ from what the program expects."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from edgeprof.store.tables import metadata

    with engine.begin() as connection:
        version = connection.execute(sa.text("SELECT version FROM edgeprof_schema")).scalar()
        options = {"compare_type": engine.dialect.name != "sqlite", "version_table": "nobody"}
        return version, compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_a_server_that_is_away_is_said_without_the_password():
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://someone:secret@127.0.0.1:9/results")

    assert "postgresql+psycopg://someone:***@127.0.0.1:9/results cannot be used: " in caught.value.message
    assert "secret" not in caught.value.message


def test_an_unknown_kind_of_store_is_refused():
    with pytest.raises(UsageError, match="not a store's URL: `oracle9://x`"):
        open_store("oracle9://x")
