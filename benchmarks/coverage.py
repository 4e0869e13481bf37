"""Does the interval hold what it promises? The product's own procedure, stop rule included, on simulated launches.

Samples within a launch are autocorrelated and of one of three shapes; launches differ by an effect of 0, 1 or 3 times
the spread within. The truth is the median launch's median, taken from many more launches than any trial sees; of a
percentile, the median launch's percentile. The stop rule looks at the median alone, as the product's does, and the
percentiles of the same launches are held against the same promise.

`python -m benchmarks.coverage [TRIALS]` prints a line a case and ends with 1 where one is below the nominal level.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from edgeprof.records import RunPlan
from edgeprof.stats import CONFIDENCE, is_narrow, over_launches

SPREAD = 0.05  # of the logarithm of a sample within a launch
AUTOCORRELATION = 0.5
RUNS = 200
# Enough in a launch for p99, too.
TAIL_RUNS = 700
STATISTICS = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
EFFECTS = (0, 1, 3)
SHAPES = ("log-normal", "bimodal", "heavy-tailed")
_TRUTH_LAUNCHES = 20_000


@dataclass(frozen=True)
class Case:
    """One combination, and what came of it.

    Attributes:
        statistic: What the interval is of.
        shape: Of the samples within a launch.
        effect: Spread between launches over the spread within.
        trials: Simulated profiles.
        covered: Those whose interval held the truth.
        launches: Their mean number of launches.
    """

    statistic: str
    shape: str
    effect: int
    trials: int
    covered: int
    launches: float

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the coverage (Clopper and Pearson)."""
        found = stats.binomtest(self.covered, self.trials).proportion_ci(0.95)
        return found.low, found.high

    def holds(self) -> bool:
        """Return whether the coverage is not below the nominal level, as far as so many trials can tell."""
        return self.interval()[1] >= CONFIDENCE


def simulate(trials: int, seed: int = 20, statistics: Sequence[str] = ("median",)) -> Iterator[Case]:
    """Yield each case after so many trials, whose launches hold enough runs for all of these statistics."""
    runs = RUNS if set(statistics) == {"median"} else TAIL_RUNS
    for shape in SHAPES:
        for effect in EFFECTS:
            chance = np.random.default_rng([seed, SHAPES.index(shape), effect])
            many = [_launches(chance, shape, effect, 1000, runs, statistics) for _ in range(_TRUTH_LAUNCHES // 1000)]
            truth = np.median(np.concatenate(many, axis=1), axis=1)
            outcomes = [_profile(chance, (shape, effect, runs), statistics, truth) for _ in range(trials)]
            covered, launches = zip(*outcomes, strict=True)
            for name, count in zip(statistics, np.sum(covered, axis=0), strict=True):
                yield Case(name, shape, effect, trials, int(count), float(np.mean(launches)))


def _profile(
    chance: np.random.Generator, case: tuple[str, int, int], statistics: Sequence[str], truth: np.ndarray
) -> tuple[list[bool], int]:
    """Measure until the first statistic's interval is narrow; return which hold the truth, and the launches it took."""
    plan, (shape, effect, runs) = RunPlan(), case
    values = _launches(chance, shape, effect, plan.looks[-1], runs, statistics)
    for look in plan.looks:
        found = [
            over_launches("latency_ns", name, list(row[:look]), looks=len(plan.looks))
            for name, row in zip(statistics, values, strict=True)
        ]
        if is_narrow(found[0], plan.precision_ratio):
            break
    return [bool(one.low <= true <= one.high) for one, true in zip(found, truth, strict=True)], look


def _launches(
    chance: np.random.Generator, shape: str, effect: int, launches: int, runs: int, statistics: Sequence[str]
) -> NDArray[np.float64]:
    """Return a row for each statistic, with its value in each launch."""
    steps = chance.normal(size=(launches, runs)) * np.sqrt(1 - AUTOCORRELATION**2)
    steps[:, 0] /= np.sqrt(1 - AUTOCORRELATION**2)
    normal = lfilter([1], [1, -AUTOCORRELATION], steps, axis=1)
    within = _shaped(stats.norm.cdf(normal), normal, shape)
    between = chance.normal(0, effect * SPREAD, (launches, 1)) if effect else 0.0
    return np.quantile(1e6 * np.exp(within + between), [STATISTICS[name] for name in statistics], axis=1)


def _shaped(uniform: NDArray[np.float64], normal: NDArray[np.float64], shape: str) -> NDArray[np.float64]:
    """Return logarithms of samples with a spread of about `SPREAD`, in the order of `normal`."""
    if shape == "log-normal":
        return SPREAD * normal
    if shape == "heavy-tailed":
        return SPREAD * np.asarray(stats.t.ppf(uniform, 2)) / 2
    # Two modes, 70 to 30, four of their own widths apart.
    width = SPREAD / 2
    low = uniform < 0.7
    inner = np.where(low, uniform / 0.7, (uniform - 0.7) / 0.3)
    return width * np.asarray(stats.norm.ppf(np.clip(inner, 1e-12, 1 - 1e-12))) + np.where(low, 0, 4 * width)


def main() -> None:
    """Print a line a case: medians of short launches, then all statistics of launches long enough for p99."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"nominal coverage {CONFIDENCE:.0%}, {trials} trials a case, autocorrelation {AUTOCORRELATION}")
    below = 0
    for case in chain(simulate(trials), simulate(trials, statistics=tuple(STATISTICS))):
        low, high = case.interval()
        shown = f"{case.covered / case.trials:6.1%} covered ({low:.1%} … {high:.1%})"
        verdict = "" if case.holds() else "  BELOW NOMINAL"
        below += not case.holds()
        name = f"{case.statistic:6} {case.shape:13} effect {case.effect} ×"
        print(f"{name}: {shown}, {case.launches:.1f} launches{verdict}", flush=True)
    sys.exit(1 if below else 0)


if __name__ == "__main__":
    main()
