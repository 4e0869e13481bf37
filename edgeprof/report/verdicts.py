"""Verdicts on pairs, as sentences."""

from collections.abc import Sequence

from edgeprof import units
from edgeprof.pairs import ENERGY
from edgeprof.records import Comparison, RunResult
from edgeprof.report.names import cell_name, is_again
from edgeprof.report.words import reason_words

_WORDS = {
    "latency_ns": {"less": "faster", "more": "slower"},
    "guest_instructions": {"less": "fewer instructions", "more": "more instructions"},
    ENERGY: {"less": "less energy", "more": "more energy"},
}


def verdict(found: Comparison, runs: Sequence[RunResult]) -> str:
    """Return a comparison as a sentence: which costs how much more or less than which, and how sure that is."""
    by_id = {run.run_id: run for run in runs}
    base, other = by_id[found.base], by_id[found.other]
    beside = [run for run in runs if run.group == base.group]
    names = f"{cell_name(other, beside)} against {cell_name(base, beside)}"
    if is_again(other, beside):
        names = "the same against itself"
    where = f"{base.device}: " if len({run.device for run in runs}) > 1 else ""
    what = "energy per inference " if found.name == ENERGY else ""
    return f"{where}{names}: {what}{verdict_words(found)}"


def verdict_words(found: Comparison) -> str:
    """Return a verdict with its interval, without the names of the two."""
    if found.not_measured is not None and found.name == ENERGY:
        return f"not compared ({reason_words(found.not_measured)})"
    if found.ratio is None or found.low is None or found.high is None:
        return "not compared: one launch gives no interval"
    margin = units.percent(found.margin_ratio)
    sure = f"{found.confidence * 100:g} %"
    by = f"{units.change(found.low)} … {units.change(found.high)}, {sure}"
    if found.verdict == "same":
        return f"the same within {margin} ({by})"
    if found.verdict == "inconclusive":
        what = "windows" if found.name == ENERGY else "launches"
        many = f"{found.n_launches} {what}"
        if found.detectable_ratio is None or found.detectable_ratio > 1:
            return f"inconclusive, {units.change(found.ratio)}: {many} are too few to find even a doubling"
        finds = f"{many} find changes from {units.percent(found.detectable_ratio)}"
        return f"inconclusive, {units.change(found.ratio)} ({by}); {finds}"
    words = _WORDS[found.name][found.verdict]
    times = found.ratio if found.verdict == "more" else 1 / found.ratio
    return f"{units.three_digits(times)} × {words} ({by})"
