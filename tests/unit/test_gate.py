"""The release gate: what a budget may hold, how it is judged, and what a script is told."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from edgeprof import resources, units
from edgeprof.analysis.graph import read_operators
from edgeprof.compress.sampling import Sampling
from edgeprof.errors import UsageError
from edgeprof.metrics import estimates
from edgeprof.records import GoldenCheck, Memory, OpProfile, OpTime
from edgeprof.report.document import document, schema
from edgeprof.report.gate import _row, figure_name, gate_document, markdown, print_gate, sentence
from edgeprof.report.junit import annotations, junit, sarif
from edgeprof.scores import HIGHER, LOWER, RESAMPLES, Agreement, Score
from edgeprof.stats.limits import Drop, Level, Share, against_base, against_limit
from edgeprof.stats.packed import pack
from edgeprof.stats.proportions import Discordant
from edgeprof.validate import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    GateResult,
    Release,
    load_baselines,
    load_release,
    save_baselines,
)
from edgeprof.validate.baselines import baseline_item
from edgeprof.validate.evidence import gather_evidence
from edgeprof.validate.figures import BY_KEY
from edgeprof.validate.gate import final
from edgeprof.validate.release import Check, Released
from edgeprof.validate.verdicts import Verdict, judge
from edgeprof.warnings_ import warning
from tests.unit.evaluations import EVALUATED, evaluation, hits
from tests.unit.test_compare import launches
from tests.unit.test_energy import trace
from tests.unit.test_reports import COUNTED, RUN

NAME = "<b>|m|</b>"
ARTIFACT = Released(NAME, Path("m.tflite"))
MEMORY = tuple(Memory(1, 1, (20 << 20) + i, 1) for i in range(3))


def run(level: float = 1e6, **changes):
    made = replace(RUN, launches=launches(level, 10), memory=MEMORY, warnings=(), evaluations=(EVALUATED,))
    return replace(made, **changes)


def check(key: str, limit: float | None = None, **more) -> Check:
    return Check(ARTIFACT, "pi5", BY_KEY[key], limit, **more)


def verdicts(checks, measured, baselines=()):
    return judge([gather_evidence(one, measured, baselines) for one in checks])


def one(key: str, limit: float | None, measured, **more) -> Verdict:
    return verdicts([check(key, limit, **more)], measured)[0]


@pytest.fixture
def baseline(tmp_path):
    """Return the only baseline of a file that holds a run."""

    def save(measured):
        save_baselines([measured], tmp_path / "b.json")
        return load_baselines(tmp_path / "b.json")

    return save


@pytest.mark.parametrize(
    ("key", "limit", "verdict"),
    [
        ("latency", 1.1e6, PASS),
        ("latency", 0.9e6, FAIL),
        ("latency", 1.0e6, INCONCLUSIVE),
        ("latency_p90", 1.1e6, PASS),
        ("first_inference", 100.0, PASS),
        ("start_up", 100.0, PASS),
        ("start_up", 10.0, FAIL),
        ("peak_rss", 32 << 20, PASS),
        ("peak_rss", 16 << 20, FAIL),
        ("size", 98_496, PASS),
        ("size", 98_495, FAIL),
        ("top1", 0.80, PASS),
        ("top1", 0.95, FAIL),
        ("top1", 0.89, INCONCLUSIVE),
        ("drop", 5.0, PASS),
        ("drop", 0.5, INCONCLUSIVE),
    ],
)
def test_a_budget_passes_fails_or_stays_open_by_its_interval(key, limit, verdict):
    found = one(key, limit, run())

    assert found.verdict == verdict
    assert found.low <= found.value <= found.high
    if verdict == PASS and key != "top1":
        assert found.high <= limit


@pytest.mark.parametrize(
    ("key", "measured", "reason"),
    [
        ("latency", replace(COUNTED, launches=launches(1e6)), "clock_counts_instructions"),
        ("start_up", replace(COUNTED, launches=launches(1e6)), "clock_counts_instructions"),
        ("instructions", run(), "clock_counts_time"),
        ("latency_p99", run(), "too_few_samples"),
        ("peak_rss", run(memory=()), "not_reached"),
        ("top1", run(evaluations=(), not_measured=(("top1_ratio", "no_evaluation_data"),)), "no_evaluation_data"),
        ("drop", run(evaluations=(evaluation(hits(450, 500)),)), "no_float_model"),
        ("top1", run(evaluations=(replace(EVALUATED, scores=()),)), "no_classes: the labels are no class numbers"),
        ("latency", run(launches=()), "no_launches"),
        ("latency", run(status="failed"), "failed"),
        ("latency", None, "failed: no run"),
    ],
)
def test_what_was_not_measured_is_never_a_pass(key, measured, reason):
    found = one(key, 1e12 if key not in ("top1", "drop") else 0.01, measured)

    assert (found.verdict, found.value, found.reason) == (INCONCLUSIVE, None, reason)
    assert GateResult((found,), (), ()).verdict("pass") == INCONCLUSIVE


def test_a_single_launch_decides_nothing():
    found = one("latency", 1e12, run(launches=launches(1e6, 1)))

    assert (found.verdict, found.low) == (INCONCLUSIVE, None)


def test_a_board_that_computes_something_else_fails_every_figure_but_the_size():
    wrong = run(golden=GoldenCheck(False, 99.0, 3.0))

    assert [found.verdict for found in verdicts([check("latency", 1e12), check("size", 1e9)], wrong)] == [FAIL, PASS]


def test_many_checks_share_one_chance_of_error():
    measured = run(launches=launches(1e6, 4, spread=0.02))
    near = 1.13e6

    alone = one("latency", near, measured)
    among = verdicts([check("latency", near), *(check("latency", 1e6 + i) for i in range(30))], measured)[0]

    assert (alone.verdict, among.verdict) == (PASS, INCONCLUSIVE)


@pytest.mark.parametrize(
    ("level", "allowed", "floor", "verdict"),
    [
        (1.00e6, 0.05, 0.0, PASS),
        (1.20e6, 0.05, 0.0, FAIL),
        (1.20e6, 0.05, 300_000.0, PASS),
        (0.80e6, 0.00, 0.0, PASS),
    ],
)
def test_no_worse_than_the_baseline_with_an_absolute_floor(level, allowed, floor, verdict, baseline):
    held = check("latency", baseline=Path("b.json"), worse_ratio=allowed, worse_by=floor)

    found = verdicts([held], run(level), baseline(run(1e6, run_id="ba5e")))[0]

    assert (found.verdict, found.metric) == (verdict, "ratio")
    assert found.value == pytest.approx(level / 1e6, rel=0.02)


def test_a_baseline_from_other_conditions_is_refused_with_what_changed(baseline):
    held = check("latency", baseline=Path("b.json"), worse_ratio=0.05)
    before = baseline(run(environment=(("kernel", "5.10"),)))

    found = verdicts([held], run(), before)[0]

    assert (found.verdict, found.value) == (INCONCLUSIVE, None)
    assert found.reason == "not comparable with the baseline: board's kernel was 5.10, is 6.1"


def test_a_new_build_may_be_another_artifact_but_not_on_another_board(baseline):
    held = check("size", baseline=Path("b.json"))
    other = run(artifact=replace(RUN.artifact, sha256="ef" * 32, size_bytes=100_000))

    assert verdicts([held], other, baseline(run()))[0].verdict == FAIL
    assert "board was id, is other" in verdicts([held], run(board_id="other"), baseline(run()))[0].reason


def test_a_baseline_of_something_else_is_none(baseline):
    found = verdicts([check("latency", baseline=Path("b.json"))], run(device="orin"), baseline(run()))[0]

    assert found.reason == "no baseline of m int8 on orin in `b.json`"


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (run(status="interrupted"), "it is interrupted"),
        (run(golden=GoldenCheck(False, 9.0, 1.0)), "outputs differ"),
        (run(launches=launches(1e6, 1)), "one launch gives no interval"),
    ],
)
def test_a_run_that_is_not_fit_is_no_baseline(measured, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        save_baselines([measured], tmp_path / "b.json")

    assert not (tmp_path / "b.json").exists()


def test_saving_again_replaces_the_like_and_keeps_the_rest(tmp_path):
    file = tmp_path / "b.json"
    save_baselines([run(), run(device="orin")], file)

    save_baselines([run(run_id="ffff")], file)

    found = load_baselines(file)
    assert sorted((base.device, base.run_id) for base in found) == [("orin", RUN.run_id), ("pi5", "ffff")]
    jsonschema.validate(json.loads(document("baseline", [baseline_item(base) for base in found])), schema())
    jsonschema.validate(json.loads(file.read_text()), schema())


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "runs", "schema": 1}', '{"kind": "baseline", "schema": 1, "items": [{}]}']
)
def test_a_file_that_is_no_baseline_is_refused(text, tmp_path):
    (tmp_path / "b.json").write_text(text)

    with pytest.raises(UsageError, match=r"b\.json") as caught:
        load_baselines(tmp_path / "b.json")

    assert "edgeprof baseline save" in caught.value.hint


def test_the_second_measurement_stands_and_the_first_is_kept():
    first, second = one("latency", 0.9e6, run()), one("latency", 0.9e6, run(0.8e6, run_id="ffff"))

    found = final(first, second)

    assert (found.verdict, found.run_id, found.first) == (PASS, "ffff", first)
    assert final(first, None) is first


def test_a_failure_that_could_not_be_measured_again_is_neither_confirmed_nor_refuted():
    first = one("latency", 0.9e6, run())

    found = final(first, one("latency", 0.9e6, None))

    assert (found.verdict, found.first.verdict) == (INCONCLUSIVE, FAIL)
    assert found.reason == "not confirmed: failed: no run"


@pytest.mark.parametrize(("change", "wrong", "right"), [(1.0, FAIL, PASS), (1.2, PASS, FAIL)])
def test_the_whole_gate_of_two_stages_is_hardly_ever_wrong_and_decides(change, wrong, right, tmp_path):
    save_baselines([run(launches=launches(1e6, 20, 0.02, seed=77))], tmp_path / "b.json")
    before = load_baselines(tmp_path / "b.json")
    held = [
        check("latency", baseline=Path("b.json"), worse_ratio=0.10),
        check("latency_p90", baseline=Path("b.json"), worse_ratio=0.10),
    ]
    ends = []
    for seed in range(120):
        first = verdicts(held, run(launches=launches(1e6 * change, 10, 0.02, seed)), before)
        second = verdicts(held, run(launches=launches(1e6 * change, 20, 0.02, 5000 + seed)), before)
        ends += [final(a, b if a.verdict != PASS else None).verdict for a, b in zip(first, second, strict=True)]

    assert ends.count(wrong) <= 2
    assert ends.count(right) >= 0.95 * len(ends)


@pytest.mark.parametrize(
    ("kinds", "inconclusive", "whole"),
    [
        ((PASS, PASS), "inconclusive", PASS),
        ((PASS, FAIL, INCONCLUSIVE), "inconclusive", FAIL),
        ((PASS, INCONCLUSIVE), "inconclusive", INCONCLUSIVE),
        ((PASS, INCONCLUSIVE), "fail", FAIL),
        ((PASS, INCONCLUSIVE), "pass", PASS),
    ],
)
def test_the_whole_is_as_good_as_its_worst_check(kinds, inconclusive, whole):
    found = tuple(Verdict(check("latency", 1.0), kind, "latency_ns", value=1.0) for kind in kinds)

    assert GateResult(found, (), ()).verdict(inconclusive) == whole


RELEASE = """
launches = 12

[[artifact]]
file = "m.tflite"
eval = "test.npz"
threads = 2

[[artifact]]
name = "other"
file = "m.tflite"

[[budget]]
device = "pi5"
artifact = "m"
latency = "5 ms"
peak_rss = "64 MiB"
top1 = "88 %"
drop = 1

[[budget]]
device = "orin"
baseline = "b.json"
no_worse = { latency = { by = "5 %", floor = "20 µs" }, size = "1 %" }
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("m.tflite", "test.npz"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_release_file_is_read_with_its_units(folder):
    (folder / "release.toml").write_text(RELEASE)

    release = load_release(folder / "release.toml")

    assert release.launches == 12
    assert [(c.artifact.name, c.device, c.figure.key, c.limit) for c in release.checks] == [
        ("m", "pi5", "latency", 5e6),
        ("m", "pi5", "peak_rss", 64 << 20),
        ("m", "pi5", "top1", 0.88),
        ("m", "pi5", "drop", 1),
        ("m", "orin", "latency", None),
        ("m", "orin", "size", None),
        ("other", "orin", "latency", None),
        ("other", "orin", "size", None),
    ]
    assert (release.checks[4].worse_ratio, release.checks[4].worse_by) == (0.05, 20_000)
    assert release.checks[0].artifact.file == folder / "m.tflite"


SETS = (
    """[[artifact]]
file = "m.tflite"
eval = { clean = "test.npz", night = "night.npz" }
corrupt = ["noise", "blur:5"]
metric = ["f1", "top1"]
train = "train.npz"

[[budget]]
device = "pi5"
f1 = "85 %"
top1 = { clean = "88 %", "noise:3" = "70 %" }
size = """
    + '"""\n1 MiB\\\n"""'
    + """
baseline = "b.json"

[budget.no_worse]
# a comment
latency = "5 %"
size = { by = "1 %" }
"""
)


def test_a_release_file_chooses_calibration_samples(folder):
    chosen = 'calibration = "test.npz"\ncalibration_samples = 1000\ncalibration_choice = "random"\nseed = 3'
    (folder / "release.toml").write_text(RELEASE.replace("threads = 2", chosen, 1))

    first, *_, other = load_release(folder / "release.toml").checks

    assert first.artifact.sampling == Sampling(1000, "random", 3)
    assert other.artifact.sampling == Sampling()


@pytest.fixture
def sets(folder):
    (folder / "night.npz").write_bytes(b"")
    (folder / "train.npz").write_bytes(b"")
    return folder


def test_sets_are_named_and_each_check_knows_its_line(sets):
    (sets / "release.toml").write_text(SETS)

    checks = load_release(sets / "release.toml").checks

    lines = SETS.split("\n")
    assert [(c.figure.key, c.data, lines[c.line - 1]) for c in checks] == [
        ("size", None, 'size = """'),
        ("top1", "clean", lines[10]),
        ("top1", "noise:3", lines[10]),
        ("f1", None, 'f1 = "85 %"'),
        ("latency", None, 'latency = "5 %"'),
        ("size", None, 'size = { by = "1 %" }'),
    ]
    artifact = checks[0].artifact
    assert artifact.evaluations == (("clean", sets / "test.npz"), ("night", sets / "night.npz"))
    assert (artifact.corruptions, artifact.metrics) == (("noise:3", "blur:5"), ("f1", "top1"))
    assert artifact.train == sets / "train.npz"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'clean = "88 %"',
            'claen = "88 %"',
            "unknown set `claen`. did you mean `clean`? `m` has clean, night, noise:3",
        ),
        ('night = "night.npz"', 'night = "nigth.npz"', "there is no"),
        ('{ clean = "test.npz", night = "night.npz" }', "{}", "must be a file, or files by name"),
        ('"f1", "top1"', '"aucc"', "did you mean `auc`"),
        ('"f1", "top1"', '"m.py:f"', "there is no"),
        ('"f1", "top1"', "1", "must be text, or a list of texts"),
        ('"noise"', '"nois"', "did you mean `noise`"),
        ("train.npz", "trian.npz", "[[artifact]] in line 1 of"),
        ("f1 = ", "f11 = ", "unknown key in [[budget]] in line 8 of"),
        ('f1 = "85 %"', "score = 0.5", ""),
        ('metric = ["f1", "top1"]\n', "", ""),
    ],
)
def test_a_mistake_about_sets_names_itself_and_its_table(old, new, words, sets):
    (sets / "release.toml").write_text(SETS.replace(old, new, 1))
    if not words:
        load_release(sets / "release.toml")
        return

    with pytest.raises(UsageError) as caught:
        load_release(sets / "release.toml")

    assert words in f"{caught.value.message}. {caught.value.hint}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("launches = 12", "launchs = 12", "did you mean `launches`"),
        ("launches = 12", "launches = 1", "launches = 1 is out of range"),
        ("launches = 12", "launches = true", "out of range"),
        ('latency = "5 ms"', 'latencey = "5 ms"', "did you mean `latency`"),
        ('latency = "5 ms"', 'latency = "5 MiB"', "`5 MiB` is none: write `5 ns`"),
        ('latency = "5 ms"', "latency = 5", "`5` is none"),
        ('latency = "5 ms"', 'latency = "-5 ms"', "is no limit"),
        ('latency = "5 ms"', "latency = []", "`[]` is none"),
        ('artifact = "m"', 'artifact = "othr"', "did you mean `other`"),
        ('device = "orin"', "", "has no `device`"),
        ('baseline = "b.json"', "", "`no_worse` needs a `baseline`"),
        ("size = ", "top1 = ", "`no_worse` cannot hold `top1`"),
        ('eval = "test.npz"', "", "`top1` needs samples"),
        ('eval = "test.npz"', 'eval = "tst.npz"', "there is no"),
        ('file = "m.tflite"\neval', "eval", "has no `file`"),
        ('name = "other"', 'name = "m"', "two artifacts called `m`"),
        ("threads = 2", "calibration_samples = 20", "calibration samples are to be chosen, and there are none"),
        ("threads = 2", 'calibration_choice = "evn"', "`evn` did you mean `even`"),
        ("threads = 2", "calibration_samples = 0", "calibration_samples = 0 is out of range"),
        ("threads = 2", 'pin_mhz = "fast"', "`pin_mhz` `fast` names no clock"),
        ("threads = 2", 'pin_mhz = [1500, "big=1800"]', "names some cores twice"),
        ("threads = 2", "pin_mhz = 1.5", "must be text or a whole number"),
        ("threads = 2", "pin_clocks = 1500", "must be true or false"),
        ("threads = 2", 'power_mode = ["15W", "MAXN"]', "names 2 modes"),
        ("[[budget]]", "[budget]", "not TOML"),
        ("[[artifact]]", "[[artefact]]", "unknown key"),
    ],
)
def test_a_mistake_in_a_release_file_names_itself_and_the_next_step(old, new, words, folder):
    (folder / "release.toml").write_text(RELEASE.replace(old, new, 1) if old[0] != "[" else RELEASE.replace(old, new))

    with pytest.raises(UsageError) as caught:
        load_release(folder / "release.toml")

    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("written", "pinned", "mode"),
    [
        ("threads = 2", None, None),
        ("pin_clocks = true", "performance", None),
        ("pin_clocks = false\npower_mode = 2", None, "2"),
        ('pin_mhz = 1500\npower_mode = "15W"', "1500", "15W"),
        ('pin_mhz = ["little=1200", "big=1800"]', "big=1800 little=1200", None),
    ],
)
def test_clocks_are_asked_for_as_profile_does(written, pinned, mode, folder):
    (folder / "release.toml").write_text(RELEASE.replace("threads = 2", written, 1))

    artifact = load_release(folder / "release.toml").checks[0].artifact

    assert (artifact.pin_clocks, artifact.power_mode) == (pinned, mode)


def test_a_release_file_without_a_limit_is_refused(folder):
    (folder / "release.toml").write_text('[[artifact]]\nfile = "m.tflite"\n[[budget]]\ndevice = "local"\n')

    with pytest.raises(UsageError, match="limits nothing"):
        load_release(folder / "release.toml")


def whole_gate() -> tuple[GateResult, Release]:
    checks = [
        check("latency", 0.9e6),
        check("latency", 1.1e6),
        check("top1", 0.89),
        check("instructions", 5.0),
        check("size", 1e6),
    ]
    first = verdicts(checks, run())
    found = (final(first[0], one("latency", 0.9e6, run())), *first[1:])
    return GateResult(found, (run(),), (UsageError("wrong", "try"),)), Release(
        Path("x/release.toml"), 10, tuple(checks)
    )


def test_the_document_is_valid_by_the_shipped_schema():
    result, _ = whole_gate()

    made = json.loads(gate_document(result, FAIL))

    jsonschema.validate(made, schema())
    assert made["items"][0]["first"]["verdict"] == FAIL
    assert made["items"][3]["reason"] == "clock_counts_time"


def test_the_schema_refuses_a_pass_without_a_value():
    made = json.loads(gate_document(whole_gate()[0], FAIL))
    made["items"][3]["verdict"] = PASS

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(made, schema())


def test_junit_tells_failures_from_what_is_open():
    suite = ElementTree.fromstring(junit(whole_gate()[0]))  # noqa: S314 - our own text

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "1", "2")
    assert [sorted(part.tag for part in case) for case in suite] == [
        ["failure", "system-out"],
        ["system-out"],
        ["error", "system-out"],
        ["error", "system-out"],
        ["system-out"],
    ]
    assert suite[0].get("classname") == f"{NAME}.pi5"
    assert "measured twice; at first fail" in suite[0].findtext("system-out")


def test_sarif_has_a_result_a_check_and_only_failures_are_errors():
    result, release = whole_gate()

    found = json.loads(sarif(result, release))["runs"][0]["results"]

    assert [(item["kind"], item["level"]) for item in found] == [
        ("fail", "error"),
        ("pass", "none"),
        ("open", "none"),
        ("open", "none"),
        ("pass", "none"),
    ]
    assert found[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x/release.toml"


def test_what_is_alike_in_every_process_is_not_called_exact():
    memory = verdicts([check("peak_rss", 64 << 20), check("size", 1e6)], run(memory=MEMORY[:1] * 3))

    assert "(alike in all 3); limit" in sentence(memory[0])
    assert "(exact); limit" in sentence(memory[1])


def test_markdown_has_a_row_a_check_and_obeys_no_name():
    text = markdown(whole_gate()[0], FAIL)

    assert "| FAIL | pi5 | \\<b\\>\\|m\\|\\</b\\> | latency |" in text
    assert "<b>" not in text
    assert "exact" in text


def test_people_read_value_interval_limit_and_the_first_measurement(capsys):
    print_gate(whole_gate()[0], FAIL, as_json=False)

    out = capsys.readouterr().out
    assert "≤ 900 µs" in out
    assert "≥ 89.0 %" in out
    assert "measured twice; at first fail" in out
    assert "instructions: clock counts time" in out
    assert "500 samples do not tell: a larger evaluation set would" in out
    assert "FAIL: 2 pass, 1 fail, 2 inconclusive" in out


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("latency_ns", "5 ms", 5e6),
        ("latency_ns", "1.5µs", 1500),
        ("peak_rss_bytes", "2 MiB", 2 << 20),
        ("guest_instructions", "3.2 M", 3.2e6),
        ("guest_instructions", 12, 12),
        ("top1_ratio", "88 %", 0.88),
        ("top1_ratio", 0.88, 0.88),
        ("drop_points", "1 pp", 1),
    ],
)
def test_quantities_are_read_as_people_write_them(name, text, value):
    assert units.parse(name, text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "ms", "5", "5 KiB", "5 ms 3", "1e9 ms", "nan ms"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="write `5 ns`"):
        units.parse("latency_ns", text)


def test_a_limit_is_held_by_students_t_on_logarithms():
    values = [math.exp(v) for v in (1.0, 1.1, 1.2, 1.3)]

    test = against_limit(values, math.exp(1.5))

    # By hand: mean 1.15, s = 0.1291, s/√4 = 0.0645, t = (1.15 − 1.5) / 0.0645 = −5.42, two-sided p = 0.0123 (3 d.f.).
    assert test.risk() == pytest.approx(0.0123, abs=2e-4)


def test_a_share_is_held_by_the_exact_binomial():
    # C. J. Clopper and E. S. Pearson (1934): 5 of 10 lies between 0.187 and 0.813 at 95 %.
    assert Share(5, 10, 0.5).interval(0.95) == pytest.approx((0.187, 0.813), abs=5e-4)
    assert Share(9, 10, 0.5).risk() == pytest.approx(2 * 11 / 1024)
    assert Share(0, 10, 0.5).interval(0.95)[0] == 0
    assert Share(10, 10, 0.5).interval(0.95)[1] == 1


def test_a_drop_is_held_by_the_samples_that_only_one_of_the_two_has_right():
    drop = Drop(Discordant(15, 5, 100), 5.0)

    assert drop.points == pytest.approx(10)
    assert drop.interval(0.95) == pytest.approx([100 * end for end in Discordant(15, 5, 100).interval(0.95)])
    assert drop.leaning() == "more"
    assert 0.05 < drop.risk() < 0.5
    assert Drop(Discordant(0, 0, 2000), 1.0).risk() < 1e-4


def resampled(point, spread, *, better=HIGHER, name="f1_ratio", float_point=None):
    """Return a score by a thousand resamples around its point, and a float model's around another."""
    values, others = np.random.default_rng(7).normal(0, spread, (2, 1000))
    floats = None if float_point is None else pack(float_point + others)
    values += point
    return Score(name, "macro", better, RESAMPLES, point, pack(values), float_point, floats)


def judged_by(*scores, data="eval"):
    return replace(EVALUATED, data=data, scores=scores)


def of_metric(key, limit, score, **more):
    artifact = replace(ARTIFACT, metrics=("m.py:f",))
    held = replace(check(key, limit, **more), artifact=artifact)
    return verdicts([held], run(evaluations=(judged_by(score),)))[0]


@pytest.mark.parametrize(
    ("key", "limit", "score", "verdict"),
    [
        ("f1", 0.80, resampled(0.9, 0.01), PASS),
        ("f1", 0.95, resampled(0.9, 0.01), FAIL),
        ("f1", 0.89, resampled(0.9, 0.01), INCONCLUSIVE),
        ("mae", 0.5, resampled(0.4, 0.01, better=LOWER, name="mae"), PASS),
        ("mae", 0.3, resampled(0.4, 0.01, better=LOWER, name="mae"), FAIL),
        ("score", 0.3, resampled(0.4, 0.01, better=LOWER, name="wer"), FAIL),
        ("score", 0.3, resampled(0.4, 0.01, name="f"), PASS),
        ("drop", 8.0, resampled(0.9, 0.01, float_point=0.91), PASS),
        ("f1", 0.5, resampled(1.0, 0.0), INCONCLUSIVE),  # resamples that do not differ tell nothing
    ],
)
def test_a_metric_is_held_on_its_good_side_by_its_resamples(key, limit, score, verdict):
    found = of_metric(key, limit, score)

    assert (found.verdict, found.metric) == (verdict, "drop_points" if key == "drop" else score.name)
    assert found.low <= found.value <= found.high
    assert f"{'≥' if score.better == HIGHER and key != 'drop' else '≤'} " in _row(found)[-1]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("auc", '`eval` has f1, no auc: add metric = "auc" to the artifact'),
        ("drop", "no_float_model"),
    ],
)
def test_a_metric_that_was_not_computed_is_not_measured(key, reason):
    found = of_metric(key, 0.5, resampled(0.9, 0.01))

    assert (found.verdict, found.value, found.reason) == (INCONCLUSIVE, None, reason)


def test_the_chance_of_error_of_a_resampled_score_is_the_larger_of_two():
    values = np.linspace(-3.0, 1.0, 1001)

    skewed = Level(-1.0, np.where(values > 0.9, 40.0, values))

    assert Level(-1.0, values).risk() == pytest.approx(0.5, abs=0.01)  # a quarter of them on the other side
    assert skewed.risk() > 0.5
    assert Level(-1.0, np.array([-1.0, np.nan])).risk() == 1.0


def test_each_set_has_a_floor_of_its_own():
    clean, shifted = evaluation(hits(480, 500), data="clean"), evaluation(hits(350, 500), data="shifted")
    measured = run(evaluations=(clean, shifted))
    checks = [check("top1", 0.9), *(check("top1", 0.9, data=name) for name in ("clean", "shifted", "night"))]

    found = verdicts(checks, measured)

    assert [one.verdict for one in found] == [PASS, PASS, FAIL, INCONCLUSIVE]
    assert [figure_name(one) for one in found[:3]] == ["top1", "top1 on clean", "top1 on shifted"]
    assert found[3].reason == "not_reached"


@pytest.mark.parametrize("key", ["top1", "drop"])
def test_accuracy_on_samples_that_the_model_has_seen_fails_whatever_it_is(key):
    seen = warning("leaked_eval_data", "3 of 500 samples of `eval` are in the training data too")

    found = one(key, 0.0001, run(warnings=(seen,)))

    assert (found.verdict, found.value, found.reason) == (FAIL, None, seen.text)
    assert one("latency", 1.1e6, run(warnings=(seen,))).verdict == PASS


def test_what_stands_exactly_at_its_limit_keeps_it():
    assert against_limit([5.0], 5.0, exact=True).leaning() == "less"
    assert against_limit([5.0], 5.0, exact=True).risk() == 0
    assert against_base([5.0, 5.0], [5.0, 5.0], 0.0).risk() == 0


# What else a build promises


def test_agreement_with_the_float_model_is_held_against_a_floor():
    agreed = Agreement("float_model", 500, 490, 1.0, 0.1, 30.0, None)
    measured = run(evaluations=(replace(EVALUATED, agreements=(agreed,)),))

    assert one("agreement", 0.95, measured).verdict == PASS
    assert one("agreement", 0.98, measured).verdict == INCONCLUSIVE
    assert one("agreement", 0.999, measured).verdict == FAIL
    assert one("agreement", 0.95, run()).reason == "no_float_model"


def test_energy_is_held_against_its_limit_as_far_as_its_readings_tell():
    measured = run(power=trace())
    uj = next(e.point for e in estimates(measured) if e.name == "energy_per_inference_uj")

    found = one("energy", 1.5 * uj, measured)
    assert (found.verdict, found.value) == (PASS, pytest.approx(uj))
    assert found.low < uj < found.high
    assert one("energy", 0.5 * uj, measured).verdict == FAIL
    assert one("energy", uj, measured).verdict == INCONCLUSIVE
    unread = run(not_measured=(("energy_per_inference_uj", "no_power_sensor"),))
    assert one("energy", uj, unread).reason == "no_power_sensor"


def test_misses_at_a_rate_are_judged_by_the_latency_that_the_share_allowed_exceeds():
    plan = replace(RUN.plan, rate_hz=500.0)  # a run each 2 ms

    assert one("missed", 0.1, run(1e6, plan=plan)).verdict == PASS
    found = one("missed", 0.1, run(3e6, plan=plan))
    assert (found.verdict, found.limit) == (FAIL, 2e6)
    assert one("missed", 0.01, run(1e6, plan=plan)).reason == "too_few_samples"
    assert one("missed", 0.1, run()).reason == "no_rate"


def test_the_share_of_operators_that_a_delegate_ran_is_exact():
    def profiled(*delegated):
        ops = tuple(OpTime("k", there, node, "ADD", None, None, 1, (1,)) for node, there in enumerate(delegated))
        return run(op_profile=OpProfile(ops, (1,)))

    found = one("delegated", 0.75, profiled(True, True, True, False))
    assert (found.verdict, found.value, found.low, found.high) == (PASS, 0.75, 0.75, 0.75)
    assert one("delegated", 0.76, profiled(True, True, True, False)).verdict == FAIL
    assert one("delegated", 0.5, run()).reason == "no_time_by_operator"


def test_a_kernel_of_unknown_operators_leaves_the_share_open_unless_every_operator_is_accounted_for():
    path = resources.folder("device_agents") / "selftest.tflite"
    nodes = (None, *range(len(read_operators(path))))
    ops = tuple(OpTime("k", True, node, None, None, None, 1, (1,)) for node in nodes)
    artifact = replace(RUN.artifact, path=path)

    whole = one("delegated", 0.5, run(artifact=artifact, op_profile=OpProfile(ops, (1,))))
    assert (whole.verdict, whole.value) == (PASS, 1.0)
    swallowed = one("delegated", 0.5, run(artifact=artifact, op_profile=OpProfile(ops[:-1], (1,))))
    assert swallowed.reason == "kernels_stand_for_unknown_operators"


def test_an_older_build_that_took_turns_is_compared_launch_by_launch():
    old = run(1e6)
    slower = [replace(launch, latency_ns=tuple(int(1.05 * v) for v in launch.latency_ns)) for launch in old.launches]
    new = replace(old, launches=tuple(slower))

    def against(allowed, older=old, by=0.0):
        asked = check("latency", worse_ratio=allowed, worse_by=by, older=Path("old.tflite"))
        return judge([gather_evidence(asked, new, (), older)])[0]

    assert (against(0.10).verdict, against(0.02).verdict) == (PASS, FAIL)
    assert against(0.02).value == pytest.approx(1.05, abs=1e-3)
    assert against(0.02, by=100_000).verdict == PASS  # 5 % is 50 µs
    assert against(0.10, older=None).reason.startswith("the older build did not run")
    assert against(0.10, older=replace(old, golden=GoldenCheck(False, 9.0, 1.0))).verdict == INCONCLUSIVE


def test_annotations_are_lines_that_nothing_in_a_name_can_break():
    hostile = Released("a%\n::error::b", Path("m.tflite"))
    verdict = Verdict(Check(hostile, "pi5", BY_KEY["latency"], 1.0), FAIL, "latency_ns", reason="x: 5 %")
    passed = Verdict(check("size", 1.0), PASS, "size_bytes", 1.0)

    text = annotations(GateResult((verdict, passed), (), ()), Release(Path("a,b:c.toml"), 2, ()))

    assert text.count("\n") == 1
    assert text.startswith(
        "::error file=a%2Cb%3Ac.toml,line=1,title=edgeprof%3A fail::a%25%0A::error::b on pi5: latency"
    )


@pytest.mark.parametrize(
    ("budget", "complaint"),
    [
        ('missed = "1 %"', "`missed` needs a rate"),
        ('no_worse = { latency = "5 %" }', "needs a `baseline` or an `older` build"),
        ('older = "gone.tflite"\nno_worse = { latency = "5 %" }', "is no older build"),
        ('older = "m.tflite"\nbaseline = "b.json"\nno_worse = { latency = "5 %" }', "one of them"),
        ('agreement = "99 %"', "`agreement` needs samples"),
        ('no_worse = { energy = "5 %" }\nbaseline = "b.json"', "cannot hold `energy`"),
    ],
)
def test_a_budget_without_what_it_needs_is_refused(tmp_path, budget, complaint):
    (tmp_path / "m.tflite").write_bytes(b"")
    (tmp_path / "r.toml").write_text(f'[[artifact]]\nfile = "m.tflite"\n[[budget]]\ndevice = "local"\n{budget}\n')

    with pytest.raises(UsageError, match=complaint):
        load_release(tmp_path / "r.toml")
