"""Never a made-up number: whatever is taken away, table, JSON and page say "not measured" and why."""

import json
import re
from dataclasses import replace

import jsonschema
import pytest

from edgeprof.boards import BoardFacts, Cpu, PowerSensor, Rail, ThermalZone
from edgeprof.power import choose
from edgeprof.profile import Outcome, conditions
from edgeprof.records import State
from edgeprof.report import summary
from edgeprof.report.document import schema
from edgeprof.report.html import page
from tests.unit.test_energy import PERIOD_NS, edited, trace
from tests.unit.test_reports import RUN

JETSON = PowerSensor("ina3221", "/sys", (Rail("VDD_IN"), Rail("VDD_SOC")), readable=True)
FACTS = BoardFacts(
    cpus=(Cpu(0, max_khz=1_500_000),), thermal_zones=(ThermalZone("cpu", 45_000),), power_sensors=(JETSON,)
)
SEEN = State(45_000, 600_000, 1_500_000, 0.1)
WHOLE = replace(RUN, power=trace(), states=(SEEN,) * 2, not_measured=(("ops", "not_asked"),))
ENERGY = "energy_per_inference_uj"


def without(metric: str, reason: str, **changes):
    return replace(WHOLE, not_measured=((metric, reason), *WHOLE.not_measured), **changes)


def unseen(facts: BoardFacts, state: State | None):
    """Return the run of a board that lets one see so much."""
    pairs = conditions.unseen(facts, (state, state))
    return replace(WHOLE, states=(state, state), not_measured=(*pairs, *WHOLE.not_measured))


CASES = {
    "no power sensor": (without(ENERGY, choose([]), power=None), "energy", "no power sensor"),
    "no right to read it": (
        without(ENERGY, choose([replace(JETSON, readable=False)]), power=None), "energy", "permission denied",
    ),
    "none of its rails is the board's": (
        without(ENERGY, choose([replace(JETSON, rails=(Rail("A"), Rail("B")))]), power=None), "energy", "several rails",
    ),
    "no such rail": (without(ENERGY, choose([JETSON], "VDD_GPU"), power=None), "energy", "no such rail"),
    "a sampler that does not start": (without(ENERGY, "sampler_failed", power=None), "energy", "sampler failed"),
    "a meter that is gone": (without(ENERGY, "meter_failed", power=None), "energy", "meter failed"),
    "a sensor that goes away": (
        replace(WHOLE, power=edited(lambda r, at: [v if s < 11 else None for v, s in zip(r, at, strict=True)])),
        "energy", "sensor failed",
    ),
    "a sensor that stands still": (
        replace(WHOLE, power=edited(lambda r, _: [3_000_000] * len(r))), "energy", "sensor stale",
    ),
    "a clock that is set": (
        replace(WHOLE, power=replace(trace(), time_ns=tuple(reversed(trace().time_ns)))), "energy", "clock stepped",
    ),
    "runs that end too soon": (
        replace(WHOLE, power=replace(trace(), run_ns=(0, 100 * PERIOD_NS))), "energy", "window too short",
    ),
    "no memory run": (without("peak_rss_bytes", "child_crashed", memory=()), "peak RSS", "child crashed"),
    "too few samples": (
        replace(WHOLE, launches=tuple(replace(one, latency_ns=one.latency_ns[:20]) for one in RUN.launches)),
        "p90", "too few samples",
    ),
    "accuracy that was not reached": (without("top1_ratio", "not_reached", accuracy=None), "accuracy", "not reached"),
    "no thermal zone": (
        unseen(replace(FACTS, thermal_zones=()), replace(SEEN, temp_mc=None)), "temperature", "no thermal zone",
    ),
    "a thermal zone that fails": (unseen(FACTS, replace(SEEN, temp_mc=None)), "temperature", "sensor failed"),
    "no clocks to read": (
        unseen(replace(FACTS, cpus=(Cpu(0),)), replace(SEEN, freq_khz_low=None, freq_khz_high=None)),
        "clocks", "no cpufreq",
    ),
    "no governor to read": (unseen(FACTS, SEEN), "governor", "no cpufreq"),
    "a link that was cut after the runs": (without("state_after", "link_lost"), "state after the runs", "link lost"),
    "nobody to watch": (unseen(FACTS, None), "others' load", "sampler failed"),
    "launches too short to tell": (
        unseen(FACTS, replace(SEEN, others_cores=None)), "others' load", "too short to tell",
    ),
    "a Raspberry Pi whose tool says nothing": (
        unseen(replace(FACTS, compatible=("raspberrypi,5-model-b", "brcm,bcm2712")), SEEN), "throttling", "vcgencmd gave none",
    ),
    "a Jetson whose tool says nothing": (
        unseen(replace(FACTS, compatible=("nvidia,p3768-0000+p3767-0005",)), SEEN), "power mode", "nvpmodel gave none",
    ),
    "an older run": (replace(WHOLE, states=()), "temperature", "not watched"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_taken_away_is_not_measured_in_table_json_and_page(case, capsys):
    run, what, reason = CASES[case]

    summary.print_outcome(Outcome((run,), ()), as_json=False)
    table = " ".join(capsys.readouterr().out.split())
    document = json.loads(summary.outcome_document(Outcome((run,), ())))
    shown = re.sub(r"<script.*?</script>", "", page([run]), flags=re.DOTALL)

    jsonschema.validate(document, schema())
    item = document["items"][0]
    reasons = [metric["not_measured"] for metric in item["metrics"]] + [one["reason"] for one in item["not_measured"]]
    assert re.search(rf"not measured: .*\b{what}\b[^();]*\({reason}\)", table)
    if case != "an older run":
        assert reason.replace(" ", "_") in reasons
    assert reason in shown


def test_with_all_of_it_there_nothing_is_missing(capsys):
    summary.print_outcome(Outcome((WHOLE,), ()), as_json=False)

    assert "not measured" not in capsys.readouterr().out


@pytest.mark.parametrize("case", CASES)
def test_no_figure_stands_where_there_is_none(case):
    run, _, _ = CASES[case]
    item = json.loads(summary.outcome_document(Outcome((run,), ())))["items"][0]

    for metric in item["metrics"]:
        assert (metric["point"] is None) == (metric["not_measured"] is not None)
