"""Runs that took turns: how each relates to the first, in cost, and in energy where somebody asked for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgeprof.power import METRICS, energy_per_inference
from edgeprof.records import Comparison, PowerTrace, RunResult
from edgeprof.stats import MARGIN_RATIO, Compared, compare, compare_values, comparison, decide, in_turns
from edgeprof.stats.comparisons import CONFIDENCE

# What a run says instead of windows of energy that took turns, beside the reason.
ENERGY_TURNS = "energy_in_turns"
ENERGY = METRICS[0]


@dataclass(frozen=True, slots=True)
class _Pair:
    base: RunResult
    run: RunResult
    metric: str
    compared: Compared | None


def pair_verdicts(
    runs: Sequence[RunResult], margin_ratio: float = MARGIN_RATIO, confidence: float = CONFIDENCE
) -> tuple[Comparison, ...]:
    """Return each run's relation to the first of those it took turns with: its cost, then its energy.

    All verdicts share one chance of error (Holm), those on energy among them.

    Args:
        runs: In the order they were asked for; those without a group, and the first of each, give nothing.
        margin_ratio: A change within this share counts as the same.
        confidence: Of all verdicts together, and of each interval by itself.
    """
    pairs = in_turns([run for run in runs if run.launches])
    found = [part for base, run in pairs for part in _parts(base, run, margin_ratio)]
    decided = decide([part.compared for part in found], confidence)
    return tuple(_record(part, verdict, confidence) for part, verdict in zip(found, decided, strict=True))


def window_uj(trace: PowerTrace | None) -> float | None:
    """Return the energy of an inference in one window, in µJ; `None` where the window does not tell."""
    found = "none" if trace is None else energy_per_inference(trace)
    return None if isinstance(found, str) else found[0]


def windows_uj(run: RunResult) -> list[float | None]:
    """Return the energy of an inference in each window that took turns."""
    return [window_uj(trace) for trace in run.energy_turns]


def _parts(base: RunResult, run: RunResult, margin_ratio: float) -> Iterator[_Pair]:
    cost = compare(base.launches, run.launches, len(run.plan.looks), margin_ratio)
    yield _Pair(base, run, run.plan.metric, cost)
    if base.energy_turns or run.energy_turns or _missing(base) or _missing(run):
        yield _Pair(base, run, ENERGY, compare_values(windows_uj(base), windows_uj(run), margin_ratio))


def _record(part: _Pair, verdict: str, confidence: float) -> Comparison:
    made = replace(comparison(part.base, part.run, part.compared, verdict, confidence), name=part.metric)
    if part.metric != ENERGY or part.compared is not None:
        return made
    faults = [energy_per_inference(trace) for one in (part.base, part.run) for trace in one.energy_turns]
    fault = next((found for found in faults if isinstance(found, str)), "no_common_windows")
    return replace(made, not_measured=_missing(part.base) or _missing(part.run) or fault)


def _missing(run: RunResult) -> str | None:
    return dict(run.not_measured).get(ENERGY_TURNS)
