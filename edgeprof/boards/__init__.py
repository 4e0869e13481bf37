"""What a board says of itself, what differs from its target, and which runtime fits it."""

from edgeprof.boards.cores import Cpu
from edgeprof.boards.differences import Difference, differences
from edgeprof.boards.facts import BoardFacts, PowerSensor, Rail, ThermalZone, parse_facts
from edgeprof.boards.policies import (
    PERFORMANCE,
    ClockPolicy,
    Setting,
    advice,
    clocks_text,
    restless,
    settings,
    wishes,
)
from edgeprof.boards.powermodes import PowerMode, find_mode, parse_modes
from edgeprof.boards.runtimes import RELEASES, RuntimeChoice, choose_runtime, no_runtime, runtime_advice, runtime_for
from edgeprof.boards.throttling import throttled_meanwhile, throttling_text, throttling_words

__all__ = [
    "PERFORMANCE",
    "RELEASES",
    "BoardFacts",
    "ClockPolicy",
    "Cpu",
    "Difference",
    "PowerMode",
    "PowerSensor",
    "Rail",
    "RuntimeChoice",
    "Setting",
    "ThermalZone",
    "advice",
    "choose_runtime",
    "clocks_text",
    "differences",
    "find_mode",
    "no_runtime",
    "parse_facts",
    "parse_modes",
    "restless",
    "runtime_advice",
    "runtime_for",
    "settings",
    "throttled_meanwhile",
    "throttling_text",
    "throttling_words",
    "wishes",
]
