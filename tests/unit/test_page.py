"""The HTML page: whole in itself, small, honest about what is missing, and never led astray by a name."""

import base64
import gzip
import json
import re
from dataclasses import replace
from random import Random

import jsonschema
import numpy as np
import pytest

from edgeprof import units
from edgeprof.records import Memory, OpProfile, State, SustainedWindow
from edgeprof.report.document import schema
from edgeprof.report.html import page
from edgeprof.report.html.embedded import embedded
from edgeprof.report.html.svg import Scale
from edgeprof.report.html.timeline import launch_panels
from edgeprof.scores import Agreement
from edgeprof.stats.packed import pack, unpack
from edgeprof.warnings_ import warning
from tests.unit.evaluations import evaluation, hits
from tests.unit.test_energy import edited, trace
from tests.unit.test_reports import COUNTED, LAUNCHES, OP_PROFILE, RUN
from tests.unit.test_roofline import CONV, FACTS, PEAKS

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"


def launches(count: int, runs: int, seed: int = 1):
    """Return launches with the noise of real ones, which compresses as badly."""
    chance = Random(seed)
    for index in range(count):
        latency = tuple(int(1_000_000 * chance.lognormvariate(0, 0.1)) for _ in range(runs))
        yield replace(LAUNCHES[0], index=index, latency_ns=latency, started_unix_ns=index * 10**9)


def unpacked(text: str) -> dict:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_twenty_runs_of_many_samples_and_operators_stay_below_half_a_megabyte():
    ops = replace(OP_PROFILE, ops=OP_PROFILE.ops * 20)
    states = tuple(State(40_000 + i, 600_000, 1_800_000, 0.1) for i in range(32))
    warnings = tuple(
        warning(code, "what was seen, and what to do about it, at some length")
        for code in ("other_load", "drift", "preempted")
    )
    runs = [
        replace(
            RUN,
            run_id=f"{n:08x}",
            launches=tuple(launches(32, 2000, n)),
            states=states,
            op_profile=ops,
            warnings=warnings,
            power=trace(),
        )
        for n in range(20)
    ]

    text = page(runs)

    assert len(text.encode()) <= 500_000
    assert "of the samples themselves none" in text


def sets(count=4, n=1000, classes=10, seed=1):
    """Return evaluations of a classifier that is right nine times in ten, on a clean set and on spoilt ones."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    found = []
    for index in range(count):
        said, floats = (np.where(random.random(n) < 0.9 - 0.1 * index, labels, 1) for _ in range(2))
        made = evaluation((said == labels).astype(int), (floats == labels).astype(int), data=f"set{index}")
        outcomes = {"labels": pack(labels), "predicted": pack(said), "float_predicted": pack(floats)}
        found.append(replace(made, sha256=f"{index:064x}", n_classes=classes, **outcomes))
    return tuple(found)


def test_twenty_runs_with_sets_of_samples_stay_below_half_a_megabyte():
    runs = [
        replace(RUN, run_id=f"{n:08x}", launches=tuple(launches(8, 500, n)), evaluations=sets(seed=n))
        for n in range(20)
    ]

    text = page(runs)

    assert len(text.encode()) < 500_000
    item = unpacked(re.search(r"base64,([^\"]+)", text)[1])["items"][0]
    assert "predicted" not in item["evaluations"][0]
    assert item["evaluations"][0]["confusion"] is not None


def test_accuracy_stands_there_set_by_set_with_where_classes_were_taken_for_others():
    run = replace(RUN, evaluations=sets(), warnings=(warning("leaked_eval_data", "seen before"),))

    text = page([run])

    assert text.count("<h4>Confusion on set") == 3
    assert "<h4>Confusion on set0</h4>" in text
    assert "<h4>Confusion on set3</h4>" in text
    assert "⚠ leaked_eval_data" in text
    assert "Tango" in text
    labels, said = unpack(run.evaluations[0].labels), unpack(run.evaluations[0].predicted)
    assert f">{((labels == 4) & (said == 4)).sum()}<" in text.replace("\n", "")


def test_of_many_classes_the_most_frequent_confusions_are_named():
    text = page([replace(RUN, evaluations=sets(count=1, classes=30))])

    assert "Most often: " in text
    assert " taken for 1: " in text


def test_agreement_alone_has_a_sentence_and_no_table():
    one = Agreement("float_model", 300, 299, 0.05, 0.001, 36.7, 0.01)

    text = page(
        [replace(RUN, accuracy=None, evaluations=(replace(evaluation(hits(1, 2)), scores=(), agreements=(one,)),))]
    )

    assert "agreement with the float model on 300 samples: 99.7 % the same highest output" in text
    assert "McNemar" not in text


def test_power_is_drawn_over_time_with_what_was_read_and_what_reading_cost():
    lost = edited(lambda readings, time_s: np.where((time_s > 1) & (time_s < 2), None, readings))

    text = page([replace(RUN, power=trace()), replace(RUN, run_id="b", power=lost)])

    assert text.count("<title>running</title>") == 2
    assert "VDD_IN (ina3221), all that the board takes; 50.0 readings a second," in text
    assert '<th class="number">energy / inference ↓</th>' in text
    assert "<td>energy per inference</td>" in text


def test_a_rail_that_nobody_could_read_has_no_chart():
    silent = replace(trace(), readings=(None,) * len(trace().readings))

    text = page([replace(RUN, power=silent)])

    assert "<h3>Power</h3>" not in text
    assert "energy per inference, energy per inference above idle, power, idle power</dd>" in text


def test_nothing_in_the_page_is_fetched_from_anywhere():
    text = page([RUN])

    assert re.findall(r'(?:src|href)="(?!#|data:)|url\(|@import|<link|<iframe|fetch\(', text) == []
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")


def test_names_from_anywhere_stay_text():
    run = replace(
        RUN,
        device=HOSTILE,
        artifact=replace(RUN.artifact, model=HOSTILE, recipe=HOSTILE),
        environment=((HOSTILE, HOSTILE),),
        warnings=(replace(RUN.warnings[0], text=HOSTILE),),
        failure=HOSTILE,
        op_profile=replace(OP_PROFILE, ops=tuple(replace(op, kernel=HOSTILE, op=HOSTILE) for op in OP_PROFILE.ops)),
    )

    text = page([run, replace(run, run_id="ffff0000")])

    assert text.count("<script>") == 1
    assert "<img" not in text
    assert "{{ 7*7 }}" in text
    assert "&lt;/script&gt;" in text


def test_the_data_inside_holds_every_sample_where_they_fit():
    data, thinned_to = embedded([RUN], most_bytes=100_000)
    document = unpacked(data)

    jsonschema.validate(document, schema())
    assert thinned_to is None
    assert tuple(document["items"][0]["launches"][1]["latency_ns"]) == RUN.launches[1].latency_ns


def test_data_that_do_not_fit_are_thinned_evenly_and_say_so():
    run = replace(RUN, launches=tuple(launches(4, 3000)), op_profile=OP_PROFILE)
    data, thinned_to = embedded([run], most_bytes=8_000)
    document = unpacked(data)
    item = document["items"][0]

    jsonschema.validate(document, schema())
    assert document["thinned_to"] == thinned_to == 256
    assert item["launches"][0]["latency_ns"] == [run.launches[0].latency_ns[i * 3000 // 256] for i in range(256)]
    assert item["metrics"][0]["n_samples"] == 12_000


def test_a_run_that_never_ran_says_why_and_draws_nothing():
    failed = replace(
        RUN,
        launches=(),
        memory=(),
        golden=None,
        accuracy=None,
        runtime=None,
        status="failed",
        failure="no room",
        warnings=(),
    )

    text = page([failed])

    assert "no room" in text
    assert "<figure>" not in text
    assert "not reached" in text
    assert "no launches" in text


def test_what_was_not_measured_stands_there_with_its_reason():
    text = page([replace(RUN, accuracy=None, not_measured=(("top1_ratio", "no_evaluation_data"),))])

    assert "<dt>no evaluation data</dt><dd>top-1 accuracy</dd>" in text
    assert re.search(r"<dt>too few samples</dt><dd>latency \(p05\), .*latency \(p999\)", text)
    assert "Temperature, clocks and others&#39; load: not measured" in text


def test_counts_of_instructions_have_a_chart_of_their_own_and_are_no_latency():
    text = page([RUN, replace(COUNTED, run_id="cccc0000")])

    assert "Instructions of every launch" in text
    assert "Latency of every launch" in text
    assert "counted instructions of a virtual board: no latency" in text
    assert "clock counts instructions" in text


def test_runs_that_look_alike_are_told_apart_by_their_names():
    text = page([RUN, replace(RUN, run_id="ffff0000")])

    assert "pi5 0011" in text
    assert "pi5 ffff" in text


def test_a_figure_that_all_processes_agree_on_has_no_interval_without_width():
    text = page([replace(RUN, memory=(Memory(1, 1, 20 << 20, 1),) * 3)])

    assert "20.0 MiB … 20.0 MiB" not in text.replace("\u00a0", " ")
    assert "all alike" in text


def test_a_run_named_twice_stands_there_once():
    assert page([RUN, RUN]).count('class="run"') == 1


def test_every_number_of_a_state_gets_a_panel_by_its_unit():
    states = (State(45_000, 600_000, 1_800_000, 0.25), None)

    panels = launch_panels(replace(RUN, states=states))

    assert [(panel.title, [name for name, _ in panel.lines]) for panel in panels[1:]] == [
        ("temperature", ["hottest zone"]),
        ("clock", ["lowest", "highest"]),
        ("cores kept busy by others", ["others"]),
    ]
    assert all(len(points) == 1 for panel in panels[1:] for _, points in panel.lines)


def test_a_long_run_is_drawn_and_told():
    windows = tuple(SustainedWindow(float(s), 10, 1e6 + 1000 * s, 2e6, 40_000 + s, None) for s in range(600))

    text = page([replace(RUN, sustained=windows, plan=replace(RUN.plan, sustained_s=600.0))])

    assert "A long run" in text
    assert "10 % slower from" in text


@pytest.mark.parametrize(
    ("name", "ticks", "labels"),
    [
        ("latency_ns", [1_000_000.0, 1_050_000.0], ["1.00 ms", "1.05 ms"]),
        ("latency_ns", [42_400.0, 42_450.0, 42_500.0], ["42.40 µs", "42.45 µs", "42.50 µs"]),
        ("peak_rss_bytes", [0.0, 5 * 2.0**20], ["0 MiB", "5 MiB"]),
        ("temp_mc", [45_000.0, 45_500.0], ["45.0 °C", "45.5 °C"]),
        ("freq_khz", [600_000.0, 1_200_000.0], ["0.6 GHz", "1.2 GHz"]),
        ("others_cores", [0.5, 1.0], ["0.5", "1.0"]),
        ("top1_ratio", [0.5, 0.6], ["50.0 %", "60.0 %"]),
    ],
)
def test_labels_of_an_axis_share_a_unit_and_show_its_steps(name, ticks, labels):
    assert units.axis(name, ticks) == labels


def test_ticks_are_round_in_the_unit_that_is_shown():
    along = Scale(0, 20 * 2.0**20, 0, 100)

    assert along.ticks(4, 2**20) == [0, 5 * 2**20, 10 * 2**20, 15 * 2**20, 20 * 2**20]
    assert Scale(8, 3000, 0, 100, log=True).ticks() == [10, 100, 1000]


def test_the_roofline_is_drawn_where_operators_were_held_against_peaks_and_only_there():
    latency = LAUNCHES[0].latency_ns
    timed = replace(CONV, kernel=HOSTILE, runs_ns=(min(latency) // 2,) * 12)
    held = replace(RUN, op_profile=OpProfile((timed,), (min(latency),) * 12), peaks=PEAKS, facts=FACTS)

    with_peaks, without = page([held]), page([replace(held, peaks=None)])

    assert "<h3>Roofline</h3>" in with_peaks
    assert "CONV_2D 0: " in with_peaks
    assert "float32 100 GMAC/s" in with_peaks
    assert "<h3>Roofline</h3>" not in without
    assert HOSTILE not in with_peaks


def test_all_four_parts_of_memory_are_drawn_and_an_older_run_has_no_agent_s_own():
    memory = tuple(Memory(4_000_000, 2_000_000, 30_000_000, 8_000_000, 15_000_000) for _ in range(3))
    run = replace(RUN, memory=memory)

    text = page([run])
    older = page([replace(run, memory=tuple(replace(one, agent_bytes=None) for one in memory))])

    for words in ("agent's own process", "runtime's library", "weights and arena", "model file and mapped code"):
        assert words.replace("'", "&#39;") in text
    assert "agent&#39;s own process: " not in older
    assert "older version" in older
