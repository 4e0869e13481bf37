"""Runs as Parquet, read back by the library that others read it with."""

from dataclasses import replace

import pytest

from edgeprof.errors import UsageError
from edgeprof.exchange import write_cells, write_samples
from edgeprof.metrics import estimates
from edgeprof.units import exported
from tests.unit.test_compare import launches
from tests.unit.test_reports import COUNTED, RUN

parquet = pytest.importorskip("pyarrow.parquet")

TIMED = replace(RUN, run_id="aaaa0000", launches=launches(1e6, 3))
COUNTS = replace(COUNTED, run_id="bbbb0000", launches=launches(1e6, 2))


def test_a_cell_is_a_row_and_a_figure_a_column_with_its_unit_and_its_ends(tmp_path):
    write_cells([TIMED, COUNTS], tmp_path / "cells.parquet")

    timed, counted = parquet.read_table(tmp_path / "cells.parquet").to_pylist()
    median = next(one for one in estimates(TIMED) if (one.name, one.statistic) == ("latency_ns", "median"))
    assert (timed["run_id"], timed["threads"], timed["recipe"]) == ("aaaa0000", TIMED.plan.threads, "int8")
    assert [timed[f"latency_ns.median{end}"] for end in ("", ".low", ".high")] == [
        exported(median.point),
        exported(median.low),
        exported(median.high),
    ]
    assert timed["latency_ns.p99"] is None
    assert timed["latency_ns.p99.not_measured"] == "too_few_samples"
    assert counted["latency_ns.median"] is None
    assert counted["guest_instructions.median"] > 0


def test_every_timed_run_is_a_row_in_order_and_a_count_is_no_time(tmp_path):
    write_samples([TIMED, COUNTS], tmp_path / "samples.parquet")

    table = parquet.read_table(tmp_path / "samples.parquet")
    rows = table.to_pylist()
    timed = [row for row in rows if row["run_id"] == "aaaa0000"]
    assert [row["latency_ns"] for row in timed] == [v for launch in TIMED.launches for v in launch.latency_ns]
    assert [(row["launch"], row["run"]) for row in timed] == [
        (launch.index, i) for launch in TIMED.launches for i in range(len(launch.latency_ns))
    ]
    assert {row["guest_instructions"] for row in timed} == {None}
    counted = [row for row in rows if row["run_id"] == "bbbb0000"]
    assert {row["latency_ns"] for row in counted} == {None}
    assert counted[0]["guest_instructions"] == COUNTS.plan.amount(COUNTS.launches[0].latency_ns[0])
    assert str(table.schema.field("latency_ns").type) == "int64"


def test_runs_without_samples_and_folders_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UsageError, match="have no samples"):
        write_samples([replace(TIMED, launches=())], tmp_path / "s.parquet")
    with pytest.raises(UsageError, match=r"cannot write `.*c\.parquet`"):
        write_cells([TIMED], tmp_path / "no/such/c.parquet")
