"""How many digits a figure has where it leaves edgeprof, and what keeps every bit."""

import csv
import io
import json
import math
import zipfile
from dataclasses import replace

import pytest

from edgeprof.exchange import figures_csv, verify, write_bundle
from edgeprof.exchange.tables import figures
from edgeprof.metrics import estimates
from edgeprof.report.document import document
from edgeprof.report.items import run_item
from edgeprof.units import exported
from tests.unit.test_exchange import MEASURED
from tests.unit.test_reports import LAUNCHES

# Medians and ends of intervals that are no short binary fractions.
NOISY = replace(
    MEASURED,
    created_unix_s=1795733361.284015,
    launches=tuple(replace(one, cpu_time_ns=one.wall_time_ns * 2 // 3 + one.index) for one in LAUNCHES),
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (7.600000000000007, 7.6),
        (28671.999999999985, 28672.0),
        (0.1 + 0.2, 0.3),
        (-1 / 3, -0.333333333333),
        (1.5e-9, 1.5e-9),
        (123_456_789_012_345, 123_456_789_012_345),
        (1_234_567_890_122.5, 1_234_567_890_122.0),
        (0.0, 0.0),
        (math.inf, math.inf),
    ],
)
def test_an_exported_figure_has_twelve_digits_and_all_before_the_point(value, shown):
    assert exported(value) == shown


def test_an_exported_figure_stays_between_its_ends():
    ends = [exported(value) for value in (1_234_567_890_122.4, 1_234_567_890_123, 1_234_567_890_123.4)]

    assert ends == sorted(ends)


def bits(run) -> list[float]:
    return [end for e in estimates(run) for end in (e.point, e.low, e.high) if end is not None]


def test_csv_json_parquet_and_mlflow_have_the_same_digits():
    long = [value for value in bits(NOISY) if value != exported(value)]

    rows = list(csv.DictReader(io.StringIO(figures_csv([NOISY]))))
    (item,) = json.loads(document("runs", [run_item(NOISY)]))["items"]

    assert long  # there is something to round
    for one, row, metric in zip(figures(NOISY), rows, item["metrics"], strict=True):
        for end in ("point", "low", "high"):
            value = getattr(one, end)
            assert (float(row[end]) if row[end] else None) == metric[end] == value
            assert value is None or len(repr(abs(value)).replace(".", "").lstrip("0")) <= 13  # and the 0 of `28672.0`


def test_samples_and_times_of_day_are_exported_as_they_were_stored():
    (item,) = json.loads(document("runs", [run_item(NOISY, raw=True)]))["items"]

    assert item["created_unix_s"] == NOISY.created_unix_s
    assert [launch["latency_ns"] for launch in item["launches"]] == [list(one.latency_ns) for one in NOISY.launches]
    assert json.loads(document("any", [{"samples": [1 / 3]}]))["items"] == [{"samples": [1 / 3]}]


def test_what_is_beside_the_items_is_rounded_too():
    made = json.loads(document("runs", [], comparisons=[{"ratio": 0.1 + 0.2}], base="a"))

    assert (made["comparisons"], made["base"]) == ([{"ratio": 0.3}], "a")


def test_evidence_keeps_every_bit(tmp_path):
    write_bundle([NOISY], tmp_path / "e.zip")

    said = json.loads(zipfile.ZipFile(tmp_path / "e.zip").read("runs.json"))["items"][0]["metrics"]

    assert [m[end] for m in said for end in ("point", "low", "high") if m[end] is not None] == bits(NOISY)
    assert verify(tmp_path / "e.zip").runs == (NOISY,)
