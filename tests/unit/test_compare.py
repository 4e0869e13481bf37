"""Stored runs beside one another: only what may be compared is, and the rest says why."""

import json
import math
from dataclasses import replace
from random import Random

import jsonschema
import numpy as np
import pytest

from edgeprof.compare import accuracy_changes, fronts, relate
from edgeprof.errors import UsageError
from edgeprof.records import Accuracy, ModelFacts, RawLaunch, StartUp
from edgeprof.report.document import schema
from edgeprof.report.matrix import matrix_document, print_matrix
from edgeprof.report.summary import print_dominated
from edgeprof.stats import compare_separate
from tests.unit.evaluations import evaluation, hits
from tests.unit.test_reports import ARTIFACT, COUNTED, RUN


def launches(level: float, count: int = 8, spread: float = 0.004, seed: int = 1) -> tuple[RawLaunch, ...]:
    """Return launches around a latency in ns, with a difference from process to process."""
    chance = Random(seed)
    made = []
    for index in range(count):
        own = level * chance.lognormvariate(0, spread)
        latency = tuple(round(own * chance.lognormvariate(0, 0.002)) for _ in range(70))
        made.append(RawLaunch(index, latency, (), StartUp(1, 2, 3, 4, 5), 1, 1, index))
    return tuple(made)


def run(name: str, level: float = 1e6, recipe: str = "int8", **changes):
    artifact = replace(ARTIFACT, recipe=recipe, sha256=f"{recipe:0<64}".replace("i", "1").replace("n", "2")[:64])
    made = replace(RUN, run_id=name, artifact=artifact, launches=launches(level, seed=sum(map(ord, name))), warnings=())
    return replace(made, **changes)


def counted(name: str, level: float = 1e6, recipe: str = "int8"):
    """Return a run of a virtual board that counts instructions."""
    there = {"device": COUNTED.device, "plan": COUNTED.plan, "environment": COUNTED.environment, "board_id": "lab"}
    return run(name, level, recipe, **there)


def cells(matrix):
    return [(cell.run.run_id, cell.method, cell.comparison and cell.comparison.verdict) for cell in matrix.cells]


def test_two_recipes_of_a_model_on_a_device_compare_along_the_axis_that_was_found():
    matrix = relate([run("a", 1e6), run("b", 5e5, recipe="fp32")])

    assert (matrix.axis.name, matrix.found) == ("recipe", True)
    assert cells(matrix) == [("a", "base", None), ("b", "separate", "less")]
    assert [change.name for change in matrix.cells[1].changes] == ["artifact", "recipe"]


def test_one_launch_pushes_nothing_off_for_how_far_it_is_off_is_not_known():
    fast, slow = (run(name, launches=(launch(value),)) for name, value in (("fast", 500_000), ("slow", 2_000_000)))

    assert [found.dominated_by for found in fronts([fast, slow])] == [(), ()]


def test_runs_that_took_turns_are_compared_in_turns_though_the_base_is_named():
    matrix = relate([run("a", group="g"), run("b", 5e5, recipe="fp32", group="g")], base_id="b")

    assert cells(matrix) == [("a", "in_turns", "more"), ("b", "base", None)]


def test_any_other_condition_refuses_a_cell_with_its_values():
    other = run("b", recipe="fp32", environment=(("kernel", "5.10"), ("temp_mc_before", "80000")))

    cell = relate([run("a"), other, run("c", recipe="fp32")]).cells[1]

    assert (cell.method, cell.comparison) == ("refused", None)
    assert cell.refused == ("board's kernel: 5.10, the base's is 6.1",)


def test_a_reading_of_a_moment_is_no_condition():
    assert (
        relate([run("a"), run("b", environment=(("kernel", "6.1"), ("temp_mc_before", "70000")))]).axis.name == "time"
    )


def test_a_declared_axis_refuses_what_it_does_not_change():
    matrix = relate([run("a"), run("b", recipe="fp32")], axis_name="threads")

    assert [cell.method for cell in matrix.cells] == ["base", "refused"]
    assert matrix.cells[1].refused[-1] == "recipe: fp32, the base's is int8"


def test_each_device_has_a_base_of_its_own():
    there = {"device": "orin", "board_id": "x", "environment": (("kernel", "5.10"),)}
    runs = [run("a"), run("b", 5e5, "fp32"), run("c", 2e6, **there), run("d", 4e6, "fp32", **there)]

    matrix = relate(runs)

    assert matrix.axis.name == "recipe"
    assert cells(matrix) == [
        ("a", "base", None),
        ("b", "separate", "less"),
        ("c", "base", None),
        ("d", "separate", "more"),
    ]


def test_along_the_devices_what_the_board_is_changes_with_it():
    there = {"device": "orin", "board_id": "x", "environment": (("kernel", "5.10"),)}

    matrix = relate([run("a"), run("c", 2e6, **there)])

    assert matrix.axis.name == "device"
    assert cells(matrix) == [("a", "base", None), ("c", "separate", "more")]
    assert {"device", "board", "board's kernel"} <= {change.name for change in matrix.cells[1].changes}


def test_a_device_without_the_bases_like_is_refused_and_says_so():
    there = {"device": "orin", "board_id": "x", "environment": (("kernel", "5.10"),)}

    matrix = relate([run("a"), run("b", 5e5, "fp32"), run("d", 4e6, "fp32", **there)], axis_name="recipe")

    (reason,) = matrix.cells[2].refused
    assert "the base's like on `orin` is not among the runs; measure it, and name it too" in reason


def test_counts_of_instructions_never_stand_against_a_latency():
    matrix = relate([run("a"), replace(COUNTED, run_id="b", device="pi5")])

    assert matrix.cells[1].method == "refused"
    assert any("metric: guest_instructions" in reason for reason in matrix.cells[1].refused)


@pytest.mark.parametrize("axis", [None, "device", "recipe"])
def test_the_only_run_that_counts_instructions_is_refused_for_that_and_told_what_is_missing(axis, capsys):
    matrix = relate([run("a"), run("b", 5e5, "fp32"), counted("c")], axis_name=axis)

    assert matrix.cells[2].refused == (
        "metric: guest_instructions, the base's is latency_ns: a count stands against no time; "
        "name another run in guest_instructions",
    )
    print_matrix(matrix, as_json=False)
    assert "name another run in guest_instructions" in " ".join(capsys.readouterr().out.split())


def test_runs_that_count_instructions_have_a_base_of_their_own_beside_those_that_measure_time(capsys):
    runs = [run("a"), run("b", 5e5, "fp32"), counted("d", 8e5, "fp32"), counted("c", 4e5)]

    matrix = relate(runs, base_id="a")
    print_matrix(matrix, as_json=False)

    assert matrix.axis.name == "recipe"
    assert cells(matrix) == [
        ("a", "base", None),
        ("b", "separate", "less"),
        ("d", "separate", "more"),
        ("c", "base", None),
    ]
    assert matrix.cells[2].base.run_id == "c"  # the base's like among them, not the first
    out = capsys.readouterr().out
    assert "base in guest instructions: c; a count of instructions stands against no time" in " ".join(out.split())
    document = json.loads(matrix_document(matrix, ()))
    jsonschema.validate(document, schema())
    assert [item["base"] for item in document["items"]] == ["a", "a", "c", "c"]


def test_counts_of_two_boards_compare_along_the_devices_though_the_base_measures_time():
    other = {"device": "lab2", "board_id": "y", "environment": (("virtual_board", "cortex-a53"),)}

    matrix = relate([run("a"), counted("b"), replace(counted("c", 2e6), **other)])

    assert matrix.axis.name == "device"
    assert cells(matrix) == [("a", "base", None), ("b", "base", None), ("c", "separate", "more")]


def test_a_run_without_launches_is_refused():
    matrix = relate([run("a"), run("b", launches=(), status="failed")])

    assert "b has no launches" in matrix.cells[1].refused


@pytest.mark.parametrize(
    ("runs", "options", "words"),
    [
        ([run("a")], {}, "one run compares with nothing"),
        ([run("a"), run("a")], {}, "one run compares with nothing"),
        ([run("a"), run("b")], {"base_id": "c"}, "--base `c` is none of the runs"),
        ([run("a"), run("b")], {"axis_name": "thread"}, "unknown axis: `thread`"),
    ],
)
def test_what_cannot_be_compared_is_a_clear_error(runs, options, words):
    with pytest.raises(UsageError, match=words) as caught:
        relate(runs, **options)

    assert caught.value.hint


def test_one_launch_gives_a_ratio_and_no_verdict():
    cell = relate([run("a"), run("b", 5e5, launches=launches(5e5, 1))]).cells[1]

    assert cell.comparison.ratio == pytest.approx(0.5, rel=0.02)
    assert (cell.comparison.low, cell.comparison.verdict) == (None, "inconclusive")


def test_the_interval_of_separate_runs_holds_its_level_with_unequal_spread():
    inside = 0
    for seed in range(400):
        base, other = launches(1e6, 8, 0.05, seed), launches(1e6, 16, 0.01, seed + 10_000)
        pair = compare_separate(base, other)
        inside += abs(pair.mean) <= pair.half(0.95)

    assert 0.92 <= inside / 400 <= 0.98


def test_equal_runs_are_hardly_ever_told_apart():
    wrong = 0
    for seed in range(200):
        pair = relate([run("a", launches=launches(1e6, seed=seed)), run("b", launches=launches(1e6, seed=seed + 999))])
        wrong += pair.cells[1].comparison.verdict in ("less", "more")

    assert wrong <= 2


def test_welch_gives_the_textbook_degrees_of_freedom():
    first = [launch(v) for v in (100, 120, 140)]
    second = [launch(v) for v in (300, 301, 302, 303)]

    pair = compare_separate(first, second)

    a, b = (np.var(np.log(v), ddof=1) / len(v) for v in ((100, 120, 140), (300, 301, 302, 303)))
    assert pair.mean == pytest.approx(np.mean(np.log([300, 301, 302, 303])) - np.mean(np.log([100, 120, 140])))
    assert pair.error == pytest.approx(math.sqrt(a + b))
    assert pair.freedom == pytest.approx((a + b) ** 2 / (a**2 / 2 + b**2 / 3))


def launch(value: int) -> RawLaunch:
    return RawLaunch(0, (value,), (), StartUp(1, 2, 3, 4, 5), 1, 1, 1)


def test_the_front_holds_what_no_other_beats():
    small = run("small", 5e5, accuracy=Accuracy(500, 0.80, None))
    good = run("good", 1e6, accuracy=Accuracy(500, 0.95, None), artifact=replace(ARTIFACT, size_bytes=200_000))
    bad = run("bad", 2e6, accuracy=Accuracy(500, 0.80, None), artifact=replace(ARTIFACT, size_bytes=200_000))

    ranked = {one.run.run_id: [other.run_id for other in one.dominated_by] for one in fronts([small, good, bad])}

    assert ranked == {"small": [], "good": [], "bad": ["small", "good"]}


def test_what_may_be_slower_pushes_nothing_off_however_small_it_is():
    small = replace(ARTIFACT, size_bytes=1_000)
    wide = tuple(replace(launch(level), index=i) for i, level in enumerate((800_000, 1_700_000)))
    slower, faster = run("small", launches=wide, artifact=small), run("large", 1e6)

    assert [one.dominated_by for one in fronts([slower, faster])] == [(), ()]


def test_a_cost_that_is_surely_less_by_a_thousandth_keeps_nothing_on_the_front():
    larger, smaller = (replace(ARTIFACT, size_bytes=size) for size in (100_100, 100_000))

    slow, fast = run("slow", 2e6, artifact=smaller), run("fast", 1e6, artifact=larger)

    assert [len(one.dominated_by) for one in fronts([slow, fast])] == [1, 0]


def test_what_is_the_same_in_all_is_dominated_by_nothing():
    larger, smaller = (replace(ARTIFACT, size_bytes=size) for size in (100_100, 100_000))

    assert [one.dominated_by for one in fronts([run("a", artifact=larger), run("b", artifact=smaller)])] == [(), ()]


def test_what_is_dominated_is_so_in_the_figures_named_and_no_others(capsys):
    print_dominated([run("slow", 2e6), run("fast", 1e6, recipe="fp32")])

    said = capsys.readouterr().out
    assert "int8 is dominated by fp32: of size, latency" in said
    assert "better in none, worse in some" in said
    assert "measured" not in said


def test_an_accuracy_that_is_better_than_the_base_s_is_called_better(capsys):
    base = run("a", evaluations=(evaluation(hits(440, 500, 3)),))
    other = run("b", recipe="fp32", evaluations=(evaluation(hits(450, 500)),))

    print_matrix(relate([base, other]), as_json=False)

    said = capsys.readouterr().out
    assert "on `eval`: top-1 accuracy better by +2.0 pp (+" in said
    assert "chance" not in said


def test_an_accuracy_whose_interval_reaches_to_the_other_side_may_be_better_by_chance(capsys):
    base = run("a", evaluations=(evaluation(hits(448, 500)),))
    other = run("b", recipe="fp32", evaluations=(evaluation(hits(450, 500, 25)),))

    print_matrix(relate([base, other]), as_json=False)

    said = capsys.readouterr().out
    assert "top-1 accuracy better by +0.4 pp (−" in said
    assert "than the base's, which may be chance, paired" in said


def test_what_was_not_measured_is_never_taken_for_good():
    unknown = run("unknown", 5e5, accuracy=None)
    known = run("known", 1e6, accuracy=Accuracy(500, 0.5, None))

    assert [one.dominated_by for one in fronts([unknown, known])] == [(), ()]


def test_what_packs_smaller_is_pushed_off_by_nothing_that_packs_larger():
    """Zeros and clusters leave the file's length and its speed as they are."""
    plain, pruned, worse = (
        run(name, accuracy=Accuracy(500, share, None), facts=packed(size))
        for name, share, size in (("plain", 0.95, 30_000), ("pruned", 0.80, 12_000), ("worse", 0.80, 30_000))
    )

    ranked = {one.run.run_id: [other.run_id for other in one.dominated_by] for one in fronts([plain, pruned, worse])}

    assert ranked == {"plain": [], "pruned": [], "worse": ["plain", "pruned"]}
    assert "gzip_bytes" in fronts([plain])[0].figures


def packed(gzip_bytes: int | None) -> ModelFacts:
    return ModelFacts(5, 1000, (), 100, 400, 64, quantised=True, float_ops=(), border_ops=0, gzip_bytes=gzip_bytes)


def test_packed_sizes_stand_below_the_table_where_they_differ(capsys):
    sizes = (("a", "int8", 30_000), ("b", "prune80-int8", 12_000), ("c", "fp32", None))
    runs = [run(name, recipe=recipe, facts=packed(size)) for name, recipe, size in sizes]

    print_matrix(relate(runs), as_json=False)
    said = capsys.readouterr().out
    print_matrix(relate(runs), as_json=True)
    items = json.loads(capsys.readouterr().out)["items"]

    assert "packed by gzip ↓: m int8 29.3 KiB, m prune80-int8 11.7 KiB, m fp32 not measured\n" in said
    assert [item["gzip_bytes"] for item in items] == [30_000, 12_000, None]


def test_packed_sizes_that_are_all_the_same_are_not_told(capsys):
    print_matrix(relate([run("a", facts=packed(30_000)), run("b", 5e5, facts=packed(30_000))]), as_json=False)

    assert "packed" not in capsys.readouterr().out


def test_runs_of_other_devices_do_not_push_one_another_off():
    assert [one.dominated_by for one in fronts([run("a"), run("b", 2e6, device="orin")])] == [(), ()]


def test_accuracies_on_other_samples_say_nothing_of_one_another():
    good = run("good", 5e5, evaluations=(evaluation(hits(450, 500)),))
    bad = run("bad", 1e6, evaluations=(evaluation(hits(300, 500), pairing="cd" * 32),))
    same = run("same", 1e6, evaluations=(evaluation(hits(300, 500)),))

    ranked = {one.run.run_id: [other.run_id for other in one.dominated_by] for one in fronts([good, bad, same])}

    assert ranked == {"good": [], "bad": [], "same": ["good"]}


def test_runs_of_which_none_compares_are_said_to_have_no_axis(capsys):
    print_matrix(relate([run("a"), replace(run("b"), launches=())]), as_json=False)

    assert "no axis: nothing compares; base: a\n" in capsys.readouterr().out


def test_accuracies_on_the_same_samples_are_told_apart_by_pairs():
    base = hits(450, 500)
    few_less = np.r_[np.zeros(9, int), np.ones(441, int), np.zeros(50, int)]
    one, other = (run(name, 1e6, evaluations=(evaluation(own),)) for name, own in (("one", base), ("other", few_less)))

    assert [len(found.dominated_by) for found in fronts([one, other])] == [0, 1]


def test_runs_that_took_turns_are_told_apart_launch_by_launch():
    # Launches differ by far more than the two do, but alike: alone the intervals overlap, in turns they do not.
    fast, slow = (
        run(name, group="g", launches=tuple(replace(launch(level * (1 + i % 3)), index=i) for i in range(8)))
        for name, level in (("fast", 1_000_000), ("slow", 1_100_000))
    )

    assert [len(found.dominated_by) for found in fronts([fast, slow])] == [0, 1]
    assert [len(found.dominated_by) for found in fronts([replace(fast, group=None), slow])] == [0, 0]


def test_accuracies_on_the_same_samples_are_compared_by_pairs(capsys):
    base = run("a", evaluations=(evaluation(hits(450, 500)),))
    other = run("b", recipe="fp32", evaluations=(evaluation(hits(440, 500, 3)),))

    (change,) = accuracy_changes(base, other)
    print_matrix(relate([base, other]), as_json=False)

    assert change.loss.worse.point == pytest.approx(0.02)
    assert "on `eval`: top-1 accuracy worse by +2.0 pp (" in capsys.readouterr().out
    print_matrix(relate([base, run("c", recipe="fp32", evaluations=base.evaluations)]), as_json=False)
    assert "on `eval`: top-1 accuracy as the base's: +0.0 pp (−" in capsys.readouterr().out


def test_accuracies_on_other_samples_or_in_another_metric_are_not_compared():
    base = run("a", evaluations=(evaluation(hits(450, 500)),))
    elsewhere = replace(evaluation(hits(440, 500)), sha256="ef" * 32)
    f1 = replace(elsewhere, sha256=base.evaluations[0].sha256, scores=(replace(elsewhere.scores[0], name="f1_ratio"),))

    found = [accuracy_changes(base, run("b", evaluations=(one,)))[0].refused for one in (elsewhere, f1)]

    assert found == ["the base was not run on these samples", "the two were judged by other metrics"]
    assert accuracy_changes(run("c"), base) == ()


def test_the_document_is_valid_by_the_shipped_schema():
    night = replace(evaluation(hits(9, 10), data="night", pairing="cd" * 32), sha256="cd" * 32)
    judged = (evaluation(hits(450, 500)), night)
    runs = [
        run("a", evaluations=judged),
        run("b", 5e5, "fp32", evaluations=(judged[0], replace(judged[1], sha256="ef" * 32))),
        run("c", recipe="fp32", plan=replace(RUN.plan, threads=4)),
    ]
    matrix = relate(runs)

    document = json.loads(matrix_document(matrix, fronts([cell.run for cell in matrix.cells])))

    jsonschema.validate(document, schema())
    assert (document["axis"], document["axis_found"], document["base"]) == ("recipe", True, "a")


def test_people_read_rows_columns_and_what_kind_of_comparison_it_is(capsys):
    there = {"device": "[b]orin", "board_id": "x", "environment": (("kernel", "5.10"),)}
    runs = [run("a"), run("b", 5e5, "fp32"), run("c", 2e6, **there), run("d", plan=replace(RUN.plan, threads=4))]

    print_matrix(relate(runs), as_json=False)

    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["latency", "(median)", "pi5", "[b]orin"]
    assert "× faster (" in out
    assert "separate runs: the interval comes from the launches of two sessions" in out
    assert "not compared: m int8 ×4 on pi5: threads: 4, the base's is 1" in out
    assert "pi5: worth having, as far as measured" in out
