"""The benchmark of compression, on a few images: its pieces work, and a second run does nothing again."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.compress import subjects
from benchmarks.compress.figures import Row, Scored, Timed, answers, rows
from benchmarks.compress.ledger import ACCURACY, Ledger, cell_key, commit
from benchmarks.compress.measuring import Bench, OutOfTime, Pace, measure_accuracies, measure_latencies
from benchmarks.compress.page import fill_example, write_page
from benchmarks.compress.subjects import CONVERSIONS, OWN, TUNED, Subject, is_usual
from edgeprof.cli.terminal import Terminal
from edgeprof.compress.recipes import find_recipes, recipe_names
from edgeprof.records import Comparison
from edgeprof.stats.proportions import Range
from edgeprof.store import open_store

IMAGES = 60


def quiet(_text):
    """Take what is said and say nothing."""


@pytest.fixture
def bench(tmp_path):
    with Terminal() as terminal, open_store(f"{tmp_path}/results.db") as store:
        yield Bench(tmp_path, Ledger(tmp_path), store, terminal, Pace(quiet), launches=2)


@pytest.fixture
def subject(example, tmp_path):
    with np.load(example / "test.npz") as found:
        np.savez(tmp_path / "test.npz", x=found["x"][:IMAGES], y=found["y"][:IMAGES])
    model, calibration = example / "fashion_cnn.keras", example / "calibration.npz"
    recipes, spoilt = ("int8", "fp32"), ("noise",)
    return Subject("fashion_cnn", "A trial", "few", model, calibration, tmp_path / "test.npz", None, recipes, spoilt)


@pytest.mark.tensorflow
def test_two_recipes_are_measured_once_and_written(bench, subject, tmp_path):
    pytest.importorskip("tensorflow", reason="needs the `compress` extra")

    measure_accuracies(bench, subject)
    measure_latencies(bench, subject)
    int8, fp32 = rows(bench, subject)
    write_page(tmp_path / "page.md", bench, [subject])

    assert int8.static.gzip_bytes < fp32.static.gzip_bytes
    assert int8.static.macs == fp32.static.macs == 1_923_968
    assert fp32.drop.point == 0
    assert [name for name, _, _ in int8.scored.corrupted] == ["noise:3"]
    assert int8.latency.ratio is None
    assert fp32.latency.ratio.n_launches == 2
    page = (tmp_path / "page.md").read_text()
    assert "| `fp32` | 114 KiB |" in page
    assert "Others' load meanwhile" in page

    done = (tmp_path / "cells.jsonl").read_text()
    again = Bench(tmp_path, Ledger(tmp_path), bench.store, bench.terminal, Pace(quiet, 0), 2)
    measure_accuracies(again, subject)  # the minutes are over: only because nothing is left does it not say so
    measure_latencies(again, subject)

    assert (tmp_path / "cells.jsonl").read_text() == done


def test_nothing_is_begun_after_the_minutes_are_over():
    begun = []

    with pytest.raises(OutOfTime):
        Pace(quiet, 0).over("cells", [("one", lambda: begun.append(1))])

    assert begun == []


def test_a_failed_recipe_is_kept_with_its_reason_and_shown(bench, subject, tmp_path):
    for recipe in find_recipes(subject.recipes):
        bench.ledger.add(ACCURACY, cell_key(subject, recipe), failure="the converter crashed")

    write_page(tmp_path / "page.md", bench, [subject])

    assert (tmp_path / "page.md").read_text().count("not measured: the converter crashed") == 2


def test_recipes_that_were_not_reached_are_named_below_and_empty_columns_left_out(bench, subject, tmp_path):
    (int8, _) = find_recipes(subject.recipes)
    bench.ledger.add(ACCURACY, cell_key(subject, int8), failure="LiteRT refuses `/root/.cache/made/model.tflite`")

    write_page(tmp_path / "page.md", bench, [subject])

    page = (tmp_path / "page.md").read_text()
    assert "\nNot reached yet: `fp32`.\n" in page
    assert "| recipe | top-1, 95 % |\n|---|---|\n| `int8` | not measured: LiteRT refuses `model.tflite` |\n" in page
    assert "\nNot measured: file, gzip, gzip ÷ int8's, MACs, activations, drop.\n" in page
    assert page.rstrip().endswith("Latency and memory: not measured yet.")


@pytest.mark.parametrize("name", ["fashion_mobilenet", "fashion_resnet"])
def test_without_all_a_model_for_fashion_mnist_is_made_in_fifteen_recipes(name):
    usual = [recipe for recipe in (*CONVERSIONS, *TUNED) if is_usual(name, recipe)]

    assert len(usual) == 15
    assert {"int8", "fp32"} < set(usual)


def test_without_all_only_the_usual_recipes_are_left_to_make(bench, subject, monkeypatch):
    monkeypatch.setitem(subjects._USUAL, "fashion_cnn", ("fp32",))
    fp32 = next(recipe for recipe in find_recipes(subject.recipes) if recipe.name == "fp32")
    bench.ledger.add(ACCURACY, cell_key(subject, fp32))
    over = replace(bench, pace=Pace(quiet, 0))

    measure_accuracies(over, subject, everything=False)  # nothing is left: it does not ask for the time

    with pytest.raises(OutOfTime):
        measure_accuracies(over, subject)


def test_a_cell_says_how_long_it_took_and_older_lines_are_read(tmp_path):
    Ledger(tmp_path).add(ACCURACY, "a")
    lines = tmp_path / "cells.jsonl"
    fields = json.loads(lines.read_text())
    took_s = fields.pop("took_s")
    lines.write_text(json.dumps(fields))

    assert took_s >= 0
    assert Ledger(tmp_path).find(ACCURACY, "a").took_s is None


def test_a_cell_that_failed_is_tried_again_by_other_code_only(tmp_path):
    Ledger(tmp_path).add(ACCURACY, "a", failure="it crashed")
    lines = tmp_path / "cells.jsonl"

    assert Ledger(tmp_path).is_done(ACCURACY, "a")

    lines.write_text(lines.read_text().replace(commit(), "0123456789"))

    assert not Ledger(tmp_path).is_done(ACCURACY, "a")


@pytest.mark.parametrize(
    ("drop_high", "ratio_high", "verdict"), [(0.010, 0.66, "yes"), (0.011, 0.66, "no"), (0.010, 0.67, "no")]
)
def test_speed_is_answered_by_the_far_ends_of_both_intervals(drop_high, ratio_high, verdict):
    rows = [row("int8", drop_high=0.0), row("channels50-int8", drop_high, ratio_high)]

    speed = answers(rows)[1]

    assert speed.verdict == verdict
    assert speed.figure == ratio_high


def test_a_smaller_file_that_loses_too_much_is_no_answer():
    rows = [row("int8", 0.0, gzip=1000), row("w4a8", 0.02, gzip=400), row("c16-int8", 0.005, gzip=650)]

    size = answers(rows)[0]

    assert (size.verdict, size.best.recipe.name, size.figure) == ("yes", "c16-int8", 0.65)


def test_there_is_no_no_before_every_recipe_is_measured():
    rows = [row("int8", 0.0), row("channels30-int8", 0.0, 0.9), row("channels50-int8", 0.0)]

    speed = answers(rows)[1]

    assert (speed.verdict, speed.best.recipe.name) == ("not so far", "channels30-int8")


def test_without_latencies_speed_is_not_measured():
    speed = answers([row("int8", 0.0), row("channels50-int8", 0.0)])[1]

    assert (speed.verdict, speed.best) == ("not measured", None)


def test_the_benchmarks_own_recipes_can_be_read_and_hide_no_named_one():
    own = find_recipes([str(path) for path in OWN.glob("*.toml")])

    assert {recipe.name for recipe in own}.isdisjoint(recipe_names())
    assert all(recipe.steps or recipe.conversion.leave_float for recipe in own)


def test_the_table_of_techniques_gets_figures_in_its_last_column_only(tmp_path):
    table = tmp_path / "compression.md"
    table.write_text("| `int8` | a scale | often | data | not measured |\n| `odd` | a | b | c | not measured |\ntext\n")

    fill_example(table, [row("int8", 0.0, gzip=2048, top1=0.9)])

    assert table.read_text() == (
        "| `int8` | a scale | often | data | 4.00 KiB, 2.00 KiB, 0.900 |\n| `odd` | a | b | c | not measured |\ntext\n"
    )


def row(recipe, drop_high, ratio_high=None, gzip=1000, top1=0.9):
    (found,) = find_recipes([recipe])
    static = SimpleNamespace(file_bytes=2 * gzip, gzip_bytes=gzip)
    scored = Scored(Range(top1, top1, top1), Range(drop_high, drop_high, drop_high))
    ratio = ratio_high and Comparison(
        "a", "b", "latency_ns", ratio_high, ratio_high, ratio_high, 0.99, 16, 0.02, None, "less"
    )
    return Row(found, None, static, scored, Timed(None, ratio, None, None) if ratio else None, None, None)
