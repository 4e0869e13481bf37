"""Does the interval hold what it promises? The product's own procedure, stop rule included, on simulated launches.

Samples within a launch are autocorrelated and of one of three shapes; launches differ by an effect of 0, 1 or 3 times
the spread within. The truth is the median launch's median, taken from many more launches than any trial sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.signal import lfilter

from edgeprof.records import RunPlan
from edgeprof.stats import CONFIDENCE, is_narrow, over_launches

SPREAD = 0.05  # of the logarithm of a sample within a launch
AUTOCORRELATION = 0.5
RUNS = 200
EFFECTS = (0, 1, 3)
SHAPES = ("log-normal", "bimodal", "heavy-tailed")
_TRUTH_LAUNCHES = 20_000


@dataclass(frozen=True)
class Case:
    """One combination, and what came of it.

    Attributes:
        shape: Of the samples within a launch.
        effect: Spread between launches over the spread within.
        trials: Simulated profiles.
        covered: Those whose interval held the truth.
        launches: Their mean number of launches.
    """

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


def simulate(trials: int, seed: int = 20) -> Iterator[Case]:
    """Yield each case after so many trials."""
    for shape in SHAPES:
        for effect in EFFECTS:
            chance = np.random.default_rng([seed, SHAPES.index(shape), effect])
            truth = float(np.median(_launch_medians(chance, shape, effect, _TRUTH_LAUNCHES)))
            outcomes = [_profile(chance, shape, effect, truth) for _ in range(trials)]
            covered, launches = zip(*outcomes, strict=True)
            yield Case(shape, effect, trials, sum(covered), float(np.mean(launches)))


def _profile(chance: np.random.Generator, shape: str, effect: int, truth: float) -> tuple[bool, int]:
    """Measure until the interval is narrow; return whether it holds the truth, and the launches it took."""
    plan = RunPlan()
    medians = _launch_medians(chance, shape, effect, plan.looks[-1])
    for look in plan.looks:
        found = over_launches("latency_ns", "median", list(medians[:look]), looks=len(plan.looks))
        if is_narrow(found, plan.precision_ratio):
            break
    return bool(found.low <= truth <= found.high), look


def _launch_medians(chance: np.random.Generator, shape: str, effect: int, launches: int) -> np.ndarray:
    steps = chance.normal(size=(launches, RUNS)) * np.sqrt(1 - AUTOCORRELATION**2)
    steps[:, 0] /= np.sqrt(1 - AUTOCORRELATION**2)
    normal = lfilter([1], [1, -AUTOCORRELATION], steps, axis=1)
    within = _shaped(stats.norm.cdf(normal), normal, shape)
    between = chance.normal(0, effect * SPREAD, (launches, 1)) if effect else 0.0
    return np.median(1e6 * np.exp(within + between), axis=1)


def _shaped(uniform: np.ndarray, normal: np.ndarray, shape: str) -> np.ndarray:
    """Return logarithms of samples with a spread of about `SPREAD`, in the order of `normal`."""
    if shape == "log-normal":
        return SPREAD * normal
    if shape == "heavy-tailed":
        return SPREAD * stats.t.ppf(uniform, 2) / 2
    # Two modes, 70 to 30, four of their own widths apart.
    width = SPREAD / 2
    low = uniform < 0.7
    inner = np.where(low, uniform / 0.7, (uniform - 0.7) / 0.3)
    return width * stats.norm.ppf(np.clip(inner, 1e-12, 1 - 1e-12)) + np.where(low, 0, 4 * width)


def main(trials: int = 2000) -> None:
    """Print a line a case."""
    print(f"nominal coverage {CONFIDENCE:.0%}, {trials} trials a case, autocorrelation {AUTOCORRELATION}")
    for case in simulate(trials):
        low, high = case.interval()
        shown = f"{case.covered / case.trials:6.1%} covered ({low:.1%} … {high:.1%})"
        verdict = "" if case.holds() else "  BELOW NOMINAL"
        print(f"{case.shape:13} effect {case.effect} ×: {shown}, {case.launches:.1f} launches{verdict}")


if __name__ == "__main__":
    main()
