"""`edgeprof validate` as CI runs it: what passes, what fails twice, what nobody can tell, and its exit status."""

import json
import shutil

import jsonschema
import pytest

from edgeprof import resources
from edgeprof.report.document import schema

MODEL = resources.folder("device_agents") / "selftest.tflite"


@pytest.fixture
def gate(cli):
    """Run a gate on the self-test's model with the budget given, and the options."""
    shutil.copy(MODEL, cli.folder / "m.tflite")

    def call(budget: str, *options: object, rate: str = ""):
        paced = f'rate = "{rate}"\n' if rate else ""
        text = f'launches = 4\n[[artifact]]\nfile = "m.tflite"\n{paced}[[budget]]\ndevice = "local"\n{budget}\n'
        (cli.folder / "release.toml").write_text(text)
        return cli("validate", *options)

    return call


def test_a_build_within_its_budgets_passes(gate, cli):
    done = gate('latency = "10 s"\nsize = "1 MiB"\npeak_rss = "1 GiB"', "--json", "--junit", "gate.xml")

    document = done.json()
    jsonschema.validate(document, schema())
    assert done.code == 0, done.err
    assert document["verdict"] == "pass"
    assert len(document["runs"]) == 1
    assert 'tests="3" failures="0" errors="0"' in (cli.folder / "gate.xml").read_text()


def test_a_build_over_its_budget_is_measured_again_with_twice_the_launches_and_fails(gate, cli):
    done = gate('latency = "1 ns"\nsize = "1 MiB"', "--json", "--markdown", "gate.md", "--sarif", "gate.sarif")

    document = done.json()
    jsonschema.validate(document, schema())
    failed, size = document["items"]
    assert done.code == 3, done.err
    assert (failed["verdict"], failed["n"], failed["first"]["verdict"], failed["first"]["n"]) == ("fail", 8, "fail", 4)
    assert (size["verdict"], size["first"]) == ("pass", None)
    assert [failed["first"]["run_id"], failed["run_id"]] == document["runs"]
    assert {row["run_id"] for row in cli("run", "list", "--json").json()["items"]} == set(document["runs"])
    assert "| FAIL | local | m | latency |" in (cli.folder / "gate.md").read_text()
    assert json.loads((cli.folder / "gate.sarif").read_text())["runs"][0]["results"][0]["level"] == "error"


def test_what_was_not_measured_exits_4_whatever_is_asked(gate):
    budget = 'instructions = "1 G"\nsize = "1 MiB"'

    done = gate(budget)
    asked = gate(budget, "--inconclusive", "pass")
    failing = gate(budget, "--inconclusive", "fail")

    assert (done.code, asked.code, failing.code) == (4, 4, 4)
    assert "INCONCLUSIVE: 1 pass, 1 inconclusive" in done.out
    assert "instructions: clock counts time" in done.out


def test_a_saved_run_is_a_baseline_for_the_next_build(gate, cli):
    run_id = cli("profile", "m.tflite", "-k", "2", "--json").json()["items"][0]["run_id"]
    saved = cli("baseline", "save", run_id)
    listed = cli("baseline", "list")
    worse = 'baseline = "baselines.json"\nno_worse = { size = "0 %", latency = { by = "5 %", floor = "10 s" } }'

    done = gate(worse, "--json")
    other = gate(worse.replace('"baselines.json"', '"baselines.json"\nlatency = "10 s"'), "--json")

    assert saved.out.startswith(f"saved {run_id}: m as-is on local")
    assert run_id in listed.out
    assert done.code == 0, done.out
    assert {item["metric"] for item in done.json()["items"]} == {"ratio"}
    assert other.code == 0


def test_a_file_that_lacks_the_baseline_is_named_before_anything_is_measured(gate, cli):
    (cli.folder / "baselines.json").write_text('{"schema": 1, "kind": "baseline", "items": []}')

    done = gate('baseline = "baselines.json"\nno_worse = { size = "0 %" }')

    assert done.code == 4
    said = done.err.partition("no baseline of m as-is in `baselines.json`")
    assert said[1]
    assert "connecting" in said[2]
    assert "no baseline of m as-is on local in `baselines.json`" in done.out


@pytest.mark.parametrize(
    ("budget", "options", "words"),
    [
        ('latncy = "1 s"', (), "did you mean `latency`"),
        ('latency = "1 s"', ("--inconclusive", "maybe"), "--inconclusive `maybe` is unknown"),
        ('latency = "1 s"', ("--junit", "no/such/gate.xml"), "there is no such folder"),
        ('baseline = "b.json"\nno_worse = { size = "1 %" }', (), "edgeprof baseline save"),
        ('latency = "1 s"', ("other.toml",), "cannot read the release file `other.toml`"),
    ],
)
def test_mistakes_cost_no_measurement(budget, options, words, gate, cli):
    done = gate(budget, *options)

    assert done.code == 2
    assert words in done.err
    assert not cli("run", "list", "--json").json()["items"]


def test_an_unknown_device_is_told_before_anything_is_measured(gate, cli):
    done = gate('latency = "1 s"\n[[budget]]\ndevice = "locl"\nsize = "1 MiB"')

    assert done.code == 2
    assert "did you mean `local`" in done.err
    assert not cli("run", "list", "--json").json()["items"]


def test_an_older_build_is_measured_in_turns_with_the_new_one_and_a_rate_is_kept(gate, cli):
    shutil.copy(MODEL, cli.folder / "old.tflite")
    worse = 'older = "old.tflite"\nno_worse = { latency = { by = "5 %", floor = "1 s" } }'

    done = gate(
        f'{worse}\nmissed = "10 %"\ndelegated = "1 %"\ninstructions = "1 G"', "--json", "--annotate", rate="200 Hz"
    )

    document = done.json()
    jsonschema.validate(document, schema())
    by_figure = {item["figure"]: item for item in document["items"]}
    assert by_figure["latency"]["older"].endswith("old.tflite")
    assert by_figure["latency"]["verdict"] == "pass", done.out
    assert by_figure["missed"]["limit"] == 5_000_000
    assert by_figure["missed"]["value"] is not None
    assert by_figure["delegated"]["low"] == by_figure["delegated"]["high"]
    groups = {cli("run", "show", run, "--json").json()["items"][0]["group"] for run in document["runs"][:2]}
    assert len(groups) == 1
    assert None not in groups
    assert "::warning file=release.toml,line=11,title=edgeprof%3A inconclusive::m on local: instructions" in done.err
