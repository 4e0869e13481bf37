"""How often `ab` raises a false alarm, and how often it finds a real +10 %, with other load on the machine.

`python -m benchmarks.verdicts [MINUTES]` goes on where it stopped until there are 650 pairs of one model and 200 of two,
or the minutes are over, and prints the table. Each pair is a line of build/bench/verdicts.jsonl. A pair is what `ab` does,
in this process, with shorter launches and with the native agent, whose processes start in milliseconds, so that hundreds
fit into an hour: 200 timed runs after at least 50 ms of warm-up, 8, 16 or 32 launches. Beside it stands what many use
instead, on the same data: one run each, and an alarm where p95 or the mean rate changes by more than 5 %.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from edgeprof.compress import load_artifact
from edgeprof.devices import LOCAL
from edgeprof.profile import ProfileRequest, profile
from edgeprof.records import RunPlan, RunResult
from edgeprof.remote import SetupOptions
from edgeprof.store import Store, open_store

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "bench" / "verdicts"
LINES = FOLDER.with_suffix(".jsonl")
EDGEPROF = str(Path(sys.executable).with_name("edgeprof"))
# How many pairs of each kind: with 650 and at most two false alarms, the one-sided 95 % bound of their share is below 1 %.
KINDS = {"same": 650, "ten_percent_more": 200}
# Layers of equal cost, so that one more of ten is 10 % more work: width and height, channels.
SIZES = {"small": (8, 16), "medium": (16, 32)}
LAYERS = 10
RULE_RATIO = 0.05
PLAN = RunPlan(runs=200, warmup_s=0.05)
# The other load: a loop that is busy and idle for random times of this mean.
_BUSY_S = 0.5
_LOAD = (
    "import random, time\n"
    "while True:\n"
    f"    end = time.monotonic() + random.expovariate(1 / {_BUSY_S})\n"
    "    while time.monotonic() < end: sum(range(10000))\n"
    f"    time.sleep(random.expovariate(1 / {_BUSY_S}))\n"
)


def main() -> None:
    """Measure until there are enough pairs of each kind, and print what they say."""
    end = time.monotonic() + 60 * float(sys.argv[1]) if len(sys.argv) > 1 else None
    make_models()
    with other_load(), tempfile.TemporaryDirectory() as folder, open_store(f"{folder}/results.db") as store:
        for kind, size in missing():
            if end is not None and time.monotonic() > end:
                break
            found = measured(kind, size, store, Path(folder))
            with LINES.open("a") as lines:
                lines.write(json.dumps(found) + "\n")
    for kind in KINDS:
        show(kind, [pair for pair in pairs() if pair["kind"] == kind])


def make_models() -> None:
    """Write both models of each size, once."""
    program = (
        "import keras\n"
        f"for name, (size, channels) in {SIZES!r}.items():\n"
        f"    for ending, layers in (('', {LAYERS}), ('_more', {LAYERS + 1})):\n"
        "        keras.utils.set_random_seed(1)\n"
        "        convolutions = [keras.layers.Conv2D(channels, 3, padding='same') for _ in range(layers)]\n"
        "        model = keras.Sequential([keras.Input((size, size, channels)), *convolutions])\n"
        f"        model.save({str(FOLDER)!r} + f'/{{name}}{{ending}}.keras')\n"
    )
    if all(model(size, ending).is_file() for size in SIZES for ending in ("", "_more")):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    for source in FOLDER.glob("*.keras"):
        command = [EDGEPROF, "compress", str(source), "--recipe", "fp32", "-o", str(FOLDER)]
        subprocess.run(command, check=True, capture_output=True)


def model(size: str, ending: str = "") -> Path:
    return FOLDER / f"{size}{ending}-fp32.tflite"


@contextmanager
def other_load() -> Iterator[None]:
    """Keep the machine busy for half of the time."""
    with subprocess.Popen([sys.executable, "-c", _LOAD]) as process:
        try:
            yield
        finally:
            process.kill()


def missing() -> Iterator[tuple[str, str]]:
    """Yield kind and size of each pair that is still to be measured, kinds and sizes mixed evenly."""
    while True:
        counts = {kind: sum(pair["kind"] == kind for pair in pairs()) for kind in KINDS}
        kind = min(KINDS, key=lambda kind: counts[kind] / KINDS[kind])
        if counts[kind] >= KINDS[kind]:
            return
        yield kind, list(SIZES)[counts[kind] % len(SIZES)]


def pairs() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.is_file() else []


class Nobody:
    """Watches a profile and tells nobody."""

    def say(self, device: str, text: str) -> None: ...

    def progress(self, device: str, what: str, done: int, total: int) -> None: ...

    def launched(self, run: RunResult, done: int, total: int) -> None: ...

    def ended(self, device: str, reason: str | None) -> None: ...


def measured(kind: str, size: str, store: Store, folder: Path) -> dict[str, Any]:
    """Return what `ab` says of a pair, and what the rule would have said of its first launches."""
    same = kind == "same"
    files = [model(size)] if same else [model(size), model(size, "_more")]
    request = ProfileRequest(
        tuple(load_artifact(file) for file in files),
        PLAN,
        verdict_only=True,
        control=same,
        energy=False,
        setup=SetupOptions(native=True),
    )
    started = time.time()
    own = replace(LOCAL, home=str(folder / "board"))  # that nobody else holds
    outcome = profile(request, [own], store, Nobody())
    if outcome.failures:
        raise SystemExit(f"{outcome.failures[0].what}: {outcome.failures[0].error}")
    (found,) = outcome.comparisons
    first = [np.asarray(run.launches[0].latency_ns, dtype=float) for run in outcome.runs]
    for run in outcome.runs:
        store.remove_run(run.run_id)
    keys = ("verdict", "ratio", "low", "high", "n_launches")
    return {
        "kind": kind,
        "size": size,
        "unix_s": round(started),
        "took_s": round(time.time() - started, 1),
        "runs": PLAN.runs,
        **{key: getattr(found, key) for key in keys},
        "rule": rule(*first),
    }


def rule(base: np.ndarray, other: np.ndarray) -> bool:
    """Return whether p95 or the mean rate of one run each differ by more than 5 %."""
    p95 = float(np.percentile(other, 95) / np.percentile(base, 95))
    rate = float(base.mean() / other.mean())
    return any(abs(ratio - 1) > RULE_RATIO for ratio in (p95, rate))


def show(kind: str, found: list[dict[str, Any]]) -> None:
    """Print how many of the pairs were called different, with the one-sided 95 % bound of the share."""
    if not found:
        return
    different = sum(pair["verdict"] in ("less", "more") for pair in found)
    by_rule = sum(pair["rule"] for pair in found)
    unsure = sum(pair["verdict"] == "inconclusive" for pair in found)
    side = "less" if kind == "same" else "greater"
    ours, rules = (bound(count, len(found), side) for count in (different, by_rule))
    launches = np.median([pair["n_launches"] for pair in found])
    print(f"{kind}: {len(found)} pairs, median {launches:g} launches, {unsure} inconclusive")
    print(f"  ab: {different} different ({ours}); p95 or rate ±5 %, one run each: {by_rule} ({rules})")


def bound(count: int, total: int, side: str) -> str:
    """Return the one-sided exact bound at 95 %: the most where few are good, the least where many are."""
    interval = stats.binomtest(count, total, alternative=side).proportion_ci(0.95)
    return f"at most {interval.high:.1%}" if side == "less" else f"at least {interval.low:.1%}"


if __name__ == "__main__":
    main()
