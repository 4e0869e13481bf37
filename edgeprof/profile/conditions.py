"""The conditions a result was measured under, and what was not seen of them."""

from collections.abc import Sequence

from edgeprof.boards import BoardFacts, clocks_text, throttling_text
from edgeprof.records import State
from edgeprof.units import percent


def environment(facts: BoardFacts) -> tuple[tuple[str, str], ...]:
    """Return what a board says of itself as pairs of text; what it does not say is left out."""
    pairs = {
        "model": facts.model,
        "os": facts.os,
        "kernel": facts.kernel,
        "machine": facts.machine,
        "libc": facts.libc_text(),
        "python": facts.python,
        "cores": facts.core_summary(),
        "isa": " ".join(facts.isa) or None,
        "governor": " ".join(facts.governors()) or None,
        "clocks": clocks_text(facts.policies),
        "power_mode": facts.power_mode,
        "memory_total_bytes": facts.memory_total_bytes,
        "soc": facts.soc,
        "abi": facts.abi,
        "on_charger": facts.on_charger,
        "virtualization": facts.virtualization,
        "virtual_board": facts.virtual_board,
        "invented_sensors": " ".join(facts.invented) or None,
        "load_1min_before": facts.load_1min,
        "temp_mc_before": facts.hottest_mc(),
        "throttled_before": _throttling(facts),
        "thermal_status_before": facts.thermal_status,
        "battery_percent_before": facts.battery_percent,
        "uptime_s_before": facts.uptime_s,
    }
    return tuple((name, str(value)) for name, value in pairs.items() if value is not None)


def with_after(before: tuple[tuple[str, str], ...], facts: BoardFacts) -> tuple[tuple[str, str], ...]:
    """Return `before` with what may have changed as it is now, after the runs, and when by the board's clock."""
    now = {
        "load_1min_after": facts.load_1min,
        "temp_mc_after": facts.hottest_mc(),
        "throttled_after": _throttling(facts),
        "thermal_status_after": facts.thermal_status,
        "battery_percent_after": facts.battery_percent,
        "governor_after": " ".join(facts.governors()) or None,
        "power_mode_after": facts.power_mode,
        "uptime_s_after": facts.uptime_s,
    }
    return before + tuple((name, str(value)) for name, value in now.items() if value is not None)


def with_sampler(before: tuple[tuple[str, str], ...], ratio: float | None) -> tuple[tuple[str, str], ...]:
    """Return `before` with what watching the board took of it."""
    return before if ratio is None else (*before, ("sampler_cost", f"{percent(ratio)} of a core"))


def unseen(facts: BoardFacts, states: Sequence[State | None]) -> tuple[tuple[str, str], ...]:
    """Return what was not seen of the board while the launches ran, each with its reason code."""
    seen = [state for state in states if state]
    reasons = {
        "temp_mc": "sensor_failed" if facts.thermal_zones else "no_thermal_zone",
        "freq_khz": "sensor_failed" if any(cpu.max_khz for cpu in facts.cpus) else "no_cpufreq",
        "others_cores": "too_short_to_tell",
    }
    there = {
        "temp_mc": any(state.temp_mc is not None for state in seen),
        "freq_khz": any(state.freq_khz_high is not None for state in seen),
        "others_cores": any(state.others_cores is not None for state in seen),
    }
    missed = tuple((name, reasons[name] if seen else "sampler_failed") for name in reasons if not there[name])
    return missed + _untold(facts)


def _untold(facts: BoardFacts) -> tuple[tuple[str, str], ...]:
    """Return what other boards tell, of its family or at all, and this one does not, each with its reason code."""
    governor = () if facts.governors() or not facts.cpus else (("governor", "no_cpufreq"),)
    of_family = (
        ("raspberrypi,", "throttled", facts.throttled, "vcgencmd_gave_none"),
        ("nvidia,", "power_mode", facts.power_mode, "nvpmodel_gave_none"),
    )
    return governor + tuple(
        (name, reason)
        for vendor, name, told, reason in of_family
        if told is None and any(text.startswith(vendor) for text in facts.compatible)
    )


def _throttling(facts: BoardFacts) -> str | None:
    return None if facts.throttled is None else throttling_text(facts.throttled)
