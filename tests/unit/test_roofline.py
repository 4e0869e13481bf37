"""Which limit an operator has on a board, how near it comes, and where nobody can say."""

import json
from dataclasses import replace

import pytest

from edgeprof.analysis import probes, read_costs
from edgeprof.records import Cache, ModelFacts, OpTime, PeakProbe, Peaks
from edgeprof.report.roofline import limit_text, peaks_item, peaks_text
from edgeprof.stats.roofline import op_limit, roof
from edgeprof.store import documents
from tests.unit.test_reports import RUN

CONV = OpTime("k", True, 0, "CONV_2D", (1, 8, 8, 4), "float32", 1, (), 1_000_000, "float32", 4_000, 6_000)
FACTS = ModelFacts(1, 1_000_000, (), 1000, 200_000, 100_000, False, (), 0)
# 100 G MACs a second; 10 GB/s in blocks of 512 KiB, 1 GB/s beyond.
PEAKS = Peaks(
    (
        PeakProbe("float32", "slow", 1_000_000, (20_000,) * 9),
        PeakProbe("float32", "fast", 1_000_000, (10_000,) * 9 + (900_000,)),
        PeakProbe("memory", "copy", 1_000_000, (100_000,) * 9, 512 << 10),
        PeakProbe("memory", "copy", 1_000_000, (1_000_000,) * 9, 64 << 20),
    ),
    (),
    0.0,
)
ROOF = roof(PEAKS, FACTS)


def test_the_fastest_probe_of_a_kind_is_the_peak_and_a_disturbed_run_changes_nothing():
    assert ROOF.macs_per_s == {"float32": pytest.approx(1e11)}
    assert (ROOF.bytes_per_s, ROOF.working_set_bytes) == (pytest.approx(1e10), 512 << 10)
    assert (ROOF.beyond_bytes_per_s, ROOF.beyond_bytes) == (pytest.approx(1e9), 64 << 20)


def test_a_model_larger_than_every_block_is_held_against_the_largest():
    found = roof(PEAKS, replace(FACTS, weight_bytes=100 << 20))

    assert (found.bytes_per_s, found.beyond_bytes_per_s) == (pytest.approx(1e9), None)


def test_many_products_on_few_bytes_are_bound_by_arithmetic():
    found = op_limit(CONV, 20_000, ROOF)

    assert (found.bound, found.limit_ns) == ("compute", pytest.approx(10_000))
    assert found.reached_ratio == pytest.approx(0.5)
    assert found.intensity == pytest.approx(100)
    assert found.macs_per_s == pytest.approx(5e10)
    assert limit_text(found) == "compute, 50.0 %"


def test_few_products_on_many_bytes_are_bound_by_memory():
    found = op_limit(replace(CONV, weight_bytes=400_000), 50_000, ROOF)

    assert found.bound == "memory"
    assert found.reached_ratio == pytest.approx(40_600 / 50_000)


def test_an_operator_without_products_has_the_memory_as_its_limit_and_no_intensity():
    found = op_limit(replace(CONV, macs=0, arithmetic=None), 2_000, ROOF)

    assert (found.bound, found.intensity, found.macs_per_s) == ("memory", None, None)


def test_what_a_coarse_clock_may_have_lost_makes_the_share_a_range():
    found = op_limit(replace(CONV, resolution_ns=1000), 20_000, ROOF)

    assert limit_text(found) == "compute, 47.6 … 50.0 %"


# Of a core that says L1d 64 KiB, L2 512 KiB and L3 2 MiB: 20 GB/s in L2, 10 GB/s in L3, 1 GB/s beyond.
CACHED = replace(
    PEAKS,
    probes=(
        *PEAKS.probes[:2],
        PeakProbe("memory", "copy", 1_000_000, (50_000,) * 9, 256 << 10),
        PeakProbe("memory", "copy", 1_000_000, (100_000,) * 9, 1 << 20),
        PeakProbe("memory", "copy", 1_000_000, (800_000,) * 9, 4 << 20),
        PEAKS.probes[3],
    ),
    caches=(Cache("L1d", 64 << 10), Cache("L2", 512 << 10), Cache("L3", 2 << 20)),
)


def test_each_cache_has_the_rate_of_the_largest_blocks_that_lie_in_it_and_in_no_nearer_one():
    found = roof(CACHED, FACTS)

    assert [(cache.name, cache.bytes_per_s) for cache in found.caches] == [
        ("L1d", None),
        ("L2", pytest.approx(2e10)),
        ("L3", pytest.approx(1e10)),
    ]
    assert (found.working_set_in, found.beyond_in) == ("L2", "memory")
    assert roof(CACHED, replace(FACTS, weight_bytes=1 << 20)).working_set_in == "L3"


def test_what_an_operator_reads_and_writes_besides_its_weights_is_held_against_the_cache_that_holds_it():
    large = roof(CACHED, replace(FACTS, weight_bytes=3 << 20))
    add = replace(CONV, macs=0, arithmetic=None, weight_bytes=0, activation_bytes=100_000)

    found = op_limit(add, 10_000, large)

    assert (large.working_set_in, large.bytes_per_s) == ("memory", pytest.approx(1.25e9))
    assert (found.bound, found.place) == ("memory", "L2")
    assert found.limit_ns == pytest.approx(5_000)  # 100 kB at 20 GB/s
    assert limit_text(found) == "L2, 50.0 %"


def test_weights_come_from_where_the_whole_model_lies_however_few_an_operator_has():
    large = roof(CACHED, replace(FACTS, weight_bytes=3 << 20))
    dense = replace(CONV, macs=1_000, weight_bytes=100_000, activation_bytes=2_000)

    found = op_limit(dense, 160_200, large)

    assert (found.bound, found.place) == ("memory", "memory")
    assert found.limit_ns == pytest.approx(80_000 + 100)
    assert op_limit(dense, 160_200, roof(CACHED, FACTS)).place == "L2"  # of a model that fits L2


def test_where_the_caches_are_not_known_nothing_is_said_of_them_but_that():
    known, unknown = (replace(RUN, peaks=peaks, facts=FACTS) for peaks in (CACHED, PEAKS))

    assert (ROOF.caches, ROOF.working_set_in, op_limit(CONV, 20_000, ROOF).place) == ((), None, None)
    assert "512 KiB at a time; " in peaks_text(unknown)
    assert "cache sizes not known: what is bound by `memory` may be bound by a cache" in peaks_text(unknown)
    assert "1.00 MiB at a time (in L3)" in peaks_text(known)
    assert "64.0 MiB at a time (beyond the caches)" in peaks_text(known)
    assert "L1d (64.0 KiB), L2 (512 KiB) 18.6 GiB/s, L3 (2.00 MiB) 9.31 GiB/s" in peaks_text(known)


def test_peaks_that_an_older_version_stored_still_load():
    old = json.loads(documents.dump(PEAKS))
    del old["caches"]

    assert documents.load(Peaks, json.dumps(old)) == PEAKS


@pytest.mark.parametrize(
    ("op", "time_ns", "reason"),
    [
        (replace(CONV, node=None), 1_000, "node_unknown"),
        (replace(CONV, kernel=None), None, "no_time_of_its_own"),
        (replace(CONV, resolution_ns=1000), 400, "too_short_for_the_profilers_clock"),
        (replace(CONV, macs=None), 1_000, "shapes_do_not_say"),
        (replace(CONV, arithmetic="float32×int8"), 1_000, "no_peak_for_its_arithmetic"),
        (replace(CONV, macs=0, weight_bytes=0, activation_bytes=0), 1_000, "moves_nothing"),
    ],
)
def test_where_the_limit_is_not_known_the_reason_is_said(op: OpTime, time_ns: float | None, reason: str):
    found = op_limit(op, time_ns, ROOF)

    assert (found.not_known, found.bound, found.reached_ratio) == (reason, None, None)
    assert limit_text(found) == ""


def test_a_board_that_counts_instructions_has_no_roofline_and_says_so():
    counted = replace(RUN, peaks=None, not_measured=(("peaks", "clock_counts_instructions"),))

    assert peaks_text(counted) == "roofline: not measured (clock counts instructions)"
    assert peaks_item(counted, raw=True) is None
    assert peaks_text(replace(counted, not_measured=())) == ""


@pytest.mark.parametrize("arithmetic", ["float32", "int8"])
def test_a_probe_is_a_model_of_the_work_that_it_says(tmp_path, arithmetic: str):
    found = probes(arithmetic)

    for probe in found:
        path = tmp_path / "probe.tflite"
        path.write_bytes(probe.model)
        (op,) = read_costs(path).ops
        assert (op.macs, op.arithmetic) == (probe.macs, arithmetic)
        assert probe.what.startswith(op.name)
    assert sum(len(probe.model) for probe in found) < 500_000
