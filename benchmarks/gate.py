"""How often the two-stage gate is wrong, and what it finds: simulated. `python -m benchmarks.gate RUN`, or without RUN.

RUN is a stored run of many launches (`edgeprof profile m.tflite -k 160 --runs 200`). Each simulated gate draws its
launches from it without putting them back: 10 for the baseline, 10 for the first stage, 20 for the second. The new build is
the same, or slower by a factor on every sample. Everything else is the gate's own code. Sessions apart in time differ by
more than launches of one session, and no simulation from one session can show that.

Without RUN, launches are drawn: log-normal, so many percent apart, with what differs from day to day beside it. A baseline
was measured on another day; an older build takes turns with the new one, and shares its day.
"""

import os
import platform
import random
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgeprof.records import Artifact, RawLaunch, RunPlan, RunResult, StartUp
from edgeprof.store import open_store
from edgeprof.validate.baselines import _baseline
from edgeprof.validate.evidence import gather_evidence
from edgeprof.validate.figures import BY_KEY
from edgeprof.validate.gate import final
from edgeprof.validate.release import Check, Released
from edgeprof.validate.verdicts import FAIL, PASS, judge

GATES = 1000
FIRST, SECOND = 10, 20
ALLOWED = 0.05
DRAWN_GATES = 400
SPREADS = (0.005, 0.02, 0.05)
CHANGES = (1.0, 1.02, 1.05, 1.1, 1.2)
KEYS = ("latency", "latency_p90", "first_inference")


def main(run_id: str) -> None:
    with open_store() as store:
        run = store.load_run(run_id)
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores; {len(run.launches)} launches of "
        f"{run.artifact.model} {run.artifact.recipe} on {run.device}; {GATES} gates of {len(KEYS)} checks, "
        f"no worse by {ALLOWED:.0%}, {FIRST} and {SECOND} launches"
    )
    for slower in (1.0, 1.02, 1.05, 1.1, 1.2, 1.5):
        chance = random.Random(int(slower * 1000))  # noqa: S311 - draws, not secrets
        counts = Counter(verdict for _ in range(GATES) for verdict in gate(run, slower, chance))
        whole = sum(counts.values())
        shares = ", ".join(f"{kind} {100 * counts[kind] / whole:.1f} %" for kind in (PASS, "inconclusive", FAIL))
        print(f"{slower - 1:+.0%}: {shares} of {whole} verdicts on figures of runs")


def gate(run: RunResult, slower: float, chance: random.Random) -> list[str]:
    """Run one gate; return the final verdicts of the figures that the change touches: of runs, not of start-up."""
    drawn = chance.sample(run.launches, FIRST + FIRST + SECOND)
    plain = replace(run, warnings=(), status="complete")
    base = _baseline(replace(plain, launches=tuple(drawn[:FIRST])))
    stages = (drawn[FIRST : 2 * FIRST], drawn[2 * FIRST :])
    first, second = (replace(plain, launches=tuple(slowed(one, slower) for one in stage)) for stage in stages)
    artifact = Released("m", Path("m.tflite"))
    checks = [Check(artifact, run.device, BY_KEY[key], None, Path("b"), ALLOWED) for key in KEYS]
    found = judge([gather_evidence(check, first, (base,)) for check in checks])
    open_ = [one.check for one in found if one.sampled and one.verdict != PASS]
    again = dict(zip(open_, judge([gather_evidence(check, second, (base,)) for check in open_]), strict=True))
    return [final(one, again.get(one.check)).verdict for one in found if one.check.figure.key != "first_inference"]


def slowed(launch: RawLaunch, factor: float) -> RawLaunch:
    return replace(launch, latency_ns=tuple(round(factor * value) for value in launch.latency_ns))


def drawn() -> None:
    """Print the rates for quiet and noisy boards, steady and moody ones, with a baseline and with an older build."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d}; {DRAWN_GATES} gates a cell, median latency no worse by {ALLOWED:.0%}, "
        f"{FIRST} and {SECOND} launches"
    )
    heading = " | ".join(f"{slower - 1:+.0%}" for slower in CHANGES)
    print(f"| held against | launches apart | days apart | {heading} |")
    for older, day in ((False, 0.0), (False, 0.01), (False, 0.03), (True, 0.03)):
        for spread in SPREADS:
            chance = np.random.default_rng(round(1e4 * (spread + 10 * day)) + older)
            cells = [
                _rates([_drawn_gate(slower, spread, day, chance, older=older) for _ in range(DRAWN_GATES)])
                for slower in CHANGES
            ]
            what = "an older build in turns" if older else "a baseline"
            print(f"| {what} | {spread:.1%} | {day:.0%} | {' | '.join(cells)} |")


def _rates(verdicts: list[str]) -> str:
    return " / ".join(f"{100 * verdicts.count(kind) / len(verdicts):.1f}" for kind in (PASS, FAIL))


def _drawn_gate(slower: float, spread: float, day: float, chance: np.random.Generator, *, older: bool) -> str:
    """Run a gate of one check on drawn launches; return its final verdict."""
    then, now = np.exp(chance.normal(0, day, 2))
    base = _run("base", now if older else then, FIRST, spread, chance)
    check = Check(Released("m", Path("m.tflite")), "board", BY_KEY["latency"], worse_ratio=ALLOWED)
    check = replace(check, older=Path("old.tflite")) if older else replace(check, baseline=Path("b.json"))
    stages = []
    for count in (FIRST, SECOND):
        new = _run("new", slower * now, count, spread, chance)
        before = replace(base, launches=_run("base", now, count, spread, chance).launches) if older else None
        stages.append(judge([gather_evidence(check, new, () if older else (_baseline(base),), before)])[0])
    return final(stages[0], stages[1] if stages[0].verdict != PASS else None).verdict


def _run(name: str, level: float, count: int, spread: float, chance: np.random.Generator) -> RunResult:
    medians = 1e6 * level * np.exp(chance.normal(0, spread, count))
    launches = tuple(RawLaunch(i, (round(m),), (), StartUp(1, 1, 1, 1, 1), 1, 1, 1) for i, m in enumerate(medians))
    artifact = Artifact(Path("m.tflite"), "00" * 32, 1, "m", "int8", (), ())
    return RunResult(name, 0.0, "complete", None, artifact, "board", None, "id", RunPlan(), None, launches=launches)


if __name__ == "__main__":
    main(sys.argv[1]) if sys.argv[1:] else drawn()
