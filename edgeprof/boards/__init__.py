"""What a board says of itself, what differs from its target, and which runtime fits it."""

from edgeprof.boards.differences import Difference, differences
from edgeprof.boards.facts import BoardFacts, Cpu, PowerSensor, Rail, ThermalZone, parse_facts
from edgeprof.boards.runtimes import RELEASES, RuntimeChoice, choose_runtime, no_runtime, runtime_advice
from edgeprof.boards.throttling import throttled_meanwhile, throttling_text, throttling_words

__all__ = [
    "RELEASES",
    "BoardFacts",
    "Cpu",
    "Difference",
    "PowerSensor",
    "Rail",
    "RuntimeChoice",
    "ThermalZone",
    "choose_runtime",
    "differences",
    "no_runtime",
    "parse_facts",
    "runtime_advice",
    "throttled_meanwhile",
    "throttling_text",
    "throttling_words",
]
