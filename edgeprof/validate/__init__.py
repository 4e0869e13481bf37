"""The release gate: budgets in a file, measured, judged, and an answer that a script can read."""

from edgeprof.validate.baselines import Baseline, load_baselines, save_baselines
from edgeprof.validate.gate import run_gate
from edgeprof.validate.reading import load_release
from edgeprof.validate.release import Release
from edgeprof.validate.verdicts import FAIL, INCONCLUSIVE, PASS, GateResult, Verdict

__all__ = [
    "FAIL",
    "INCONCLUSIVE",
    "PASS",
    "Baseline",
    "GateResult",
    "Release",
    "Verdict",
    "load_baselines",
    "load_release",
    "run_gate",
    "save_baselines",
]
