"""The values that pass between the parts: frozen, with units in their names.

`None` means unknown or not measured, never zero; the reason stands beside it.
"""

from edgeprof.records.launch import (
    CoreClock,
    Memory,
    RawLaunch,
    RunWindow,
    StartUp,
    State,
    SummaryLaunch,
    SustainedWindow,
)
from edgeprof.records.model import Artifact, CalibrationUse, ModelFacts, Reference, TensorSpec
from edgeprof.records.ops import Cache, OpProfile, OpTime, PeakProbe, Peaks
from edgeprof.records.plan import ACCELERATOR_CPU, CLOCK_INSTRUCTIONS, CLOCK_WALL, RunPlan
from edgeprof.records.power import NEVER_WRAPS, PowerTrace
from edgeprof.records.result import (
    MOMENTARY,
    ORIGIN,
    TINY_DEVICE,
    Accuracy,
    Comparison,
    Estimate,
    GoldenCheck,
    PartOutputs,
    RunResult,
    RuntimeInfo,
    Warning_,
)

__all__ = [
    "ACCELERATOR_CPU",
    "CLOCK_INSTRUCTIONS",
    "CLOCK_WALL",
    "MOMENTARY",
    "NEVER_WRAPS",
    "ORIGIN",
    "TINY_DEVICE",
    "Accuracy",
    "Artifact",
    "Cache",
    "CalibrationUse",
    "Comparison",
    "CoreClock",
    "Estimate",
    "GoldenCheck",
    "Memory",
    "ModelFacts",
    "OpProfile",
    "OpTime",
    "PartOutputs",
    "PeakProbe",
    "Peaks",
    "PowerTrace",
    "RawLaunch",
    "Reference",
    "RunPlan",
    "RunResult",
    "RunWindow",
    "RuntimeInfo",
    "StartUp",
    "State",
    "SummaryLaunch",
    "SustainedWindow",
    "TensorSpec",
    "Warning_",
]
