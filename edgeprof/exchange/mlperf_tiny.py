"""MLPerf Tiny's `results.txt`: windows of at least ten seconds, their throughput and energy; or an accuracy.

Source: results of rounds 0.7 and 1.0 at github.com/mlcommons/tiny_results_v1.0, written by EEMBC's ULPMark-ML runner.
A window's throughput is a mean, so there is no median latency of runs; theirs is the median of windows.
"""

import re
from dataclasses import replace
from statistics import median

from edgeprof.errors import UsageError
from edgeprof.exchange.printed import Printed
from edgeprof.records import Estimate
from edgeprof.scores import HIGHER
from edgeprof.units import NS_PER_S

TOOL = "mlperf-tiny"
_LINE = re.compile(r"\d+\.\d+ ulp-ml(?:perf)?: (.*)")
_KNOWN = tuple(
    re.compile(pattern)
    for pattern in (
        r"Performance results for window (?P<window>\d+):",
        r"  # Inferences : +(?P<inferences>\d+)",
        r"  Runtime      : +(?P<runtime>[0-9.]+) sec\.",
        r"  Throughput   : +(?P<throughput>[0-9.]+) inf\./sec\.",
        r"Median throughput is +(?P<median_throughput>[0-9.]+) inf\./sec\.",
        r"Energy data for window (?P<energy_window>\d+) at time [0-9.]+ for [0-9.]+ sec\.:",
        r"  Energy       : +[0-9.]+ uJ",
        r"  Power        : +(?P<power>[0-9.]+) uW",
        r"  Energy/Inf\.  : +(?P<energy>[0-9.]+) uJ/inf\.",
        r"Median energy cost is +(?P<median_energy>[0-9.]+) uJ/inf\.",
        r"Top-1: +(?P<top1>[0-9.]+)%",
        r"AUC: +(?P<auc>[0-9.]+)",
        r"Runtime requirements have been met\.",
        r"Cannot compute accuracy metrics in single-run mode\.",
        r"-+",
    )
)
_UW_PER_MW = 1_000
# The runner prints three decimals.
_TOLERANCE = 2e-3


def is_one(data: bytes) -> bool:
    """Return whether these are lines of that runner."""
    return b" ulp-ml" in data[:200]


def read(text: str, name: str) -> Printed:
    """Return what the runner wrote.

    Raises:
        UsageError: A line is unknown, windows are incomplete, or a median is not that of its windows.
    """
    found = _values(text, name)
    runs, seconds, rates = (found.get(key, []) for key in ("inferences", "runtime", "throughput"))
    if not len(runs) == len(seconds) == len(rates) == len(found.get("window", [])):
        raise UsageError(f"`{name}`: a window is incomplete", "give the whole results.txt")
    for n, s, each in zip(runs, seconds, rates, strict=True):
        if s <= 0 or abs(n / s - each) > max(_TOLERANCE * each, _TOLERANCE):
            raise UsageError(f"`{name}` contradicts itself: {n:g} inferences in {s:g} s are not {each:g} a second")
    figures: list[Estimate] = []
    if rate := _median(found, "median_throughput", "throughput", name):
        figures.append(_one("latency_ns", "mean", NS_PER_S / rate, int(sum(runs))))
    if energy := _median(found, "median_energy", "energy", name):
        figures.append(_one("energy_per_inference_uj", "mean", energy, int(sum(runs))))
        figures.append(_one("power_mw", "mean", median(found["power"]) / _UW_PER_MW, len(found["power"])))
    figures += [_one("top1_ratio", "share", value / 100, 0) for value in found.get("top1", [])[:1]]
    figures += [replace(_one("auc", "area", value, 0), better=HIGHER) for value in found.get("auc", [])[:1]]
    if not figures:
        raise UsageError(f"`{name}` holds no result", "give the results.txt of a performance, energy or accuracy run")
    return Printed(TOOL, tuple(figures), threads=1)


def _values(text: str, name: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        whole = _LINE.fullmatch(line.rstrip())
        matches = [pattern.fullmatch(whole[1]) for pattern in _KNOWN] if whole else []
        match = next((match for match in matches if match), None)
        if match is None:
            raise UsageError(f"`{name}`: line {number} is none that edgeprof knows: `{line.strip()[:80]}`")
        for key, value in match.groupdict().items():
            found.setdefault(key, []).append(float(value))
    return found


def _median(found: dict[str, list[float]], whole: str, each: str, name: str) -> float | None:
    """Return what the runner says is the median, if it is that of its windows."""
    said, windows = found.get(whole, []), found.get(each, [])
    if not said and not windows:
        return None
    if len(said) != 1 or not windows or abs(median(windows) - said[0]) > _TOLERANCE:
        raise UsageError(f"`{name}`: the median of its windows' {each} is not what it says", "give the whole file")
    return said[0]


def _one(name: str, statistic: str, point: float, n: int) -> Estimate:
    return Estimate(name, statistic, point, n_launches=1, n_samples=n)
