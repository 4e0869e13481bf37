"""Energies of two runs: compared only where both are of the same thing; else the reason.

A reading of a rail says what that rail takes: across boards only what feeds the whole board compares. The same board
takes another energy for the same work from another voltage, for its regulators lose another share.
"""

from dataclasses import dataclass
from math import exp, hypot, log

from edgeprof.metrics import estimates
from edgeprof.pairs import windows_uj
from edgeprof.power.energy import CONFIDENCE
from edgeprof.records import Estimate, RunResult
from edgeprof.stats import compare_values
from edgeprof.units import volts

_METRIC = "energy_per_inference_uj"
# A supply sags by less than this under load; further apart are two supplies.
_SUPPLY_RATIO = 0.05


@dataclass(frozen=True, slots=True)
class EnergyChange:
    """How the energy of a run relates to its base's.

    Attributes:
        ratio: Energy per inference over the base's, or `None` where `refused` says why not.
        low: Lower end of the interval that both intervals leave, at their confidence.
        high: Upper end. Each is of one process: what differs from process to process is not in it, unless windows took
            turns.
        refused: Why the two are not compared.
    """

    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str | None = None


def relate_energy(base: RunResult, run: RunResult) -> EnergyChange | None:
    """Return how two energies relate; `None` where neither run was asked for one or has one."""
    if base.energy_turns or run.energy_turns:
        return _in_turns(base, run)
    if base.power is None and run.power is None:
        return None
    reason = energy_refusal(base, run)
    if reason is not None:
        return EnergyChange(refused=reason)
    ends = [_ends(_estimate(one)) for one in (run, base)]
    if None in ends:
        return EnergyChange(refused="an energy without an interval compares with nothing")
    (point, reach), (base_point, base_reach) = (found for found in ends if found)
    middle, half = log(point / base_point), hypot(reach, base_reach)
    return EnergyChange(exp(middle), exp(middle - half), exp(middle + half))


def _in_turns(base: RunResult, run: RunResult) -> EnergyChange:
    """Return how energies relate that took turns, window by window; with any other run they compare with nothing."""
    if base.group is None or base.group != run.group:
        return EnergyChange(refused="one was measured in turns with another run, window by window")
    found = compare_values(windows_uj(base), windows_uj(run))
    half = None if found is None else found.half(CONFIDENCE)
    if found is None or half is None:
        return EnergyChange(refused="fewer than two windows of each give no interval")
    return EnergyChange(exp(found.mean), exp(found.mean - half), exp(found.mean + half))


def energy_refusal(base: RunResult, run: RunResult) -> str | None:
    """Return why the energies of two runs are not compared, or `None` where they are."""
    for one in (run, base):
        missing = _estimate(one).not_measured
        if one.power is None or missing:
            return f"energy of {one.run_id} is not measured ({(missing or 'not reached').replace('_', ' ')})"
    if run.power is None or base.power is None:
        return "not measured"
    if run.device != base.device:
        part = next((one for one in (run, base) if one.power and one.power.covers != "board"), None)
        return None if part is None or part.power is None else f"{part.power.rail} is a part of `{part.device}`"
    if run.power.rail != base.power.rail:
        return f"read at {run.power.rail}, the base's at {base.power.rail}"
    fed = (run.power.supply_uv, base.power.supply_uv)
    if fed[0] is not None and fed[1] is not None and abs(fed[0] - fed[1]) > _SUPPLY_RATIO * fed[1]:
        return f"fed with {volts(fed[0])}, the base with {volts(fed[1])}"
    return None


def _estimate(run: RunResult) -> Estimate:
    return next(estimate for estimate in estimates(run) if estimate.name == _METRIC)


def _ends(estimate: Estimate) -> tuple[float, float] | None:
    """Return the point and, on a logarithmic scale, how far its interval reaches."""
    if not estimate.point or not estimate.low or not estimate.high or estimate.low <= 0:
        return None
    return estimate.point, log(estimate.high / estimate.low) / 2
