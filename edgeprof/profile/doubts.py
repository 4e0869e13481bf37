"""What may have spoilt a result, as warnings: known before it, seen meanwhile, told by the launches themselves."""

from collections.abc import Sequence
from statistics import median

from edgeprof.boards import BoardFacts, advice, differences, restless, throttled_meanwhile, throttling_words
from edgeprof.devices import Device
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.gates import BUSY_CORES
from edgeprof.records import CLOCK_WALL, Artifact, RunPlan, RunResult, State, Warning_
from edgeprof.stats.steady import drift_ratio, step_ratio
from edgeprof.targets import load_target
from edgeprof.units import NS_PER_MS, percent, quantity
from edgeprof.warnings_ import warning

# Latency that moves further than this from a launch's beginning to its end is not one level.
_DRIFT_RATIO = 0.05
# Steps in fewer launches than this part of them, and in a single one, are chance.
_STEPS_PART = 0.25
# The highest clock of two launches differs by no more than this unless something changed it.
_CLOCK_RATIO = 0.05
# A single thread that computes has its core for nearly all of the time.
_PREEMPTED_RATIO = 0.95
# In less time than this a single clock tick would make the ratio.
_LONG_ENOUGH_NS = 50 * NS_PER_MS
# Launch medians further apart than this are not one population.
_SPREAD_RATIO = 0.10
# The same for counts of instructions, which repeat to a thousandth.
_COUNTED_SPREAD_RATIO = 0.01
# Source: Android's PowerManager, `THERMAL_STATUS_NONE` (0) to `THERMAL_STATUS_SHUTDOWN` (6).
_HEAT = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
# Below so many times the cost of timing nothing, the figure holds a visible part of our own.
_SHORT_CALLS = 100


def before(facts: BoardFacts, device: Device, artifact: Artifact, plan: RunPlan) -> tuple[Warning_, ...]:
    """Return the warnings that are known before anything ran."""
    found = [warning("artifact", text) for _, text in artifact.warnings]
    if device.target:
        parts = differences(facts, load_target(device.target))
        found += [
            warning("target_differs", f"{d.field}: `{device.target}` says {d.expected}, the board says {d.found}")
            for d in parts
        ]
    return (*found, *_machine(facts), *_threads(facts, plan))


def after(cell: LiveCell) -> tuple[Warning_, ...]:
    """Return the warnings that the launches gave."""
    if not cell.seen:
        return ()
    medians = [median(launch.latency_ns) for launch in cell.run.launches]
    return (
        *_spread(medians, cell.run.plan),
        *_short(cell, min(medians)),
        *_steady(cell),
        *(_drift(cell.run) or _steps(cell.run)),
        *_preempted(cell),
        *_state(cell.run.states),
        *_missed(cell.run),
    )


def throttling(before: BoardFacts, states: Sequence[State | None], after: BoardFacts) -> tuple[Warning_, ...]:
    """Return the warning that a Raspberry Pi's firmware held the board back before, during or after the launches."""
    seen = [state.throttled for state in states if state and state.throttled is not None]
    return held_back(throttled_meanwhile(before.throttled, seen, after.throttled))


def changed(before: BoardFacts, after: BoardFacts) -> tuple[Warning_, ...]:
    """Return the warnings that somebody set the clocks otherwise while the launches ran."""
    pairs = (
        ("governor", " ".join(before.governors()), " ".join(after.governors())),
        ("power mode", before.power_mode, after.power_mode),
    )
    return tuple(
        warning("clocks_changed", f"the {what} was `{was}` before the runs and is `{now}` after them: somebody set it")
        for what, was, now in pairs
        if was and now and was != now
    )


def held_back(bits: int, when: str = "") -> tuple[Warning_, ...]:
    """Return the warning that the bits of now that were set at some moment give; none where none was."""
    if not bits:
        return ()
    text = (
        f"{when}the firmware held the board back ({throttling_words(bits)}): a stronger supply against under-voltage, "
        "cooling or `--max-temp` against heat"
    )
    return (warning("throttled", text),)


def heat(run: RunResult) -> tuple[Warning_, ...]:
    """Return the warning that Android called the phone hot before, during or after the launches."""
    facts = dict(run.environment)
    seen = [state.thermal_status for state in run.states if state and state.thermal_status is not None]
    seen += [int(facts[name]) for name in ("thermal_status_before", "thermal_status_after") if name in facts]
    worst = max(seen, default=0)
    if worst <= 0:
        return ()
    name = _HEAT[min(worst, len(_HEAT) - 1)]
    text = f"Android's thermal status reached {worst} ({name}): it holds the phone back; let it cool, or `--max-temp`"
    return (warning("throttled", text),)


def _machine(facts: BoardFacts) -> list[Warning_]:
    found = []
    if facts.virtualization == "proot":
        found.append(warning("proot", "the board runs under proot, which slows every system call"))
    elif facts.virtual_board and facts.ns_per_instruction is None:
        text = f"a virtual board, emulated on another processor ({facts.virtualization}): its times are no board's"
        found.append(warning("virtual_machine", text))
    elif facts.virtualization and facts.virtual_board is None:
        text = f"not a machine of its own ({facts.virtualization}): what runs beside it is unknown"
        found.append(warning("virtual_machine", text))
    if facts.invented:
        text = f"what this virtual board says of these is invented: {', '.join(facts.invented)}"
        found.append(warning("invented_sensors", text))
    return found + _governor(facts)


def _governor(facts: BoardFacts) -> list[Warning_]:
    """Advise where a governor lets clocks follow the load, group by group; phones let nobody choose."""
    loose = restless(facts.policies)
    if loose:
        what = "; ".join(policy.text() for policy in loose)
        is_phone = facts.libc == "bionic"
        how = "on a phone only root may choose another" if is_phone else advice(facts.policies)
        return [warning("powersave_governor", f"{what}: clocks may differ from run to run; {how}")]
    slow = sorted(set(facts.governors()) & {"powersave", "conservative", "ondemand"})
    if facts.policies or not slow:
        return []
    text = f"governor {', '.join(slow)}: clocks may differ from run to run; `performance` holds them"
    return [warning("powersave_governor", text)]


def _threads(facts: BoardFacts, plan: RunPlan) -> list[Warning_]:
    if not facts.cpus or plan.threads <= len(facts.cpus):
        return []
    return [warning("threads_exceed_cpus", f"{plan.threads} threads on {len(facts.cpus)} cores wait for one another")]


def _spread(medians: Sequence[float], plan: RunPlan) -> list[Warning_]:
    spread = (max(medians) - min(medians)) / median(medians)
    if spread <= (_SPREAD_RATIO if plan.clock == CLOCK_WALL else _COUNTED_SPREAD_RATIO):
        return []
    low, high = (quantity(plan.metric, plan.amount(value)) for value in (min(medians), max(medians)))
    text = (
        f"launch medians lie {percent(spread)} apart ({low} … {high}): "
        "other load or changing clocks; look at `edgeprof run show`, raise `--launches`"
    )
    return [warning("launches_differ", text)]


def _short(cell: LiveCell, fastest_ns: float) -> list[Warning_]:
    empty_ns = median(seen.empty_call_ns for seen in cell.seen)
    if fastest_ns >= _SHORT_CALLS * empty_ns:
        return []
    share = percent(empty_ns / fastest_ns)
    plan = cell.run.plan
    run, empty = (quantity(plan.metric, plan.amount(value)) for value in (fastest_ns, empty_ns))
    text = f"a run takes {run}, timing nothing {empty}: up to {share} of it is ours"
    return [warning("short_inference", text)]


def _steady(cell: LiveCell) -> list[Warning_]:
    restless = [seen.launch.index for seen in cell.seen if not seen.steady]
    if not restless:
        return []
    text = f"warm-up did not settle in {len(restless)} of {len(cell.seen)} launches: latency drifts or jumps"
    return [warning("no_warm_up", text)]


def _preempted(cell: LiveCell) -> list[Warning_]:
    launches = [seen.launch for seen in cell.seen if seen.launch.wall_time_ns >= _LONG_ENOUGH_NS]
    plan = cell.run.plan
    if plan.threads != 1 or plan.clock != CLOCK_WALL or plan.rate_hz is not None or not launches:
        return []
    ratio = min(launch.cpu_time_ns / launch.wall_time_ns for launch in launches)
    if ratio >= _PREEMPTED_RATIO:
        return []
    return [warning("preempted", f"in one launch the process had its core for only {percent(ratio)} of the time")]


def _state(states: Sequence[State | None]) -> list[Warning_]:
    found = []
    others = [state.others_cores for state in states if state and state.others_cores is not None]
    if others and median(others) > BUSY_CORES:
        busy = f"{median(others):.2g}"
        text = f"others kept {busy} {'core' if busy == '1' else 'cores'} of the board busy while the launches ran"
        found.append(warning("other_load", text))
    clocks = [state.freq_khz_high for state in states if state and state.freq_khz_high is not None]
    if clocks and min(clocks) < (1 - _CLOCK_RATIO) * max(clocks):
        text = (
            f"the fastest core ran at {min(clocks) / 1000:.0f} to {max(clocks) / 1000:.0f} MHz, from launch to launch: "
            "heat or the governor slowed it"
        )
        found.append(warning("clocks_changed", text))
    return found


def _missed(run: RunResult) -> list[Warning_]:
    missed = sum(launch.missed for launch in run.launches)
    if not missed:
        return []
    runs = sum(len(launch.latency_ns) for launch in run.launches)
    late = f"{missed} of {runs} runs began a whole interval late"
    text = f"{late}: {run.plan.rate_hz:g} Hz is more than the board keeps up with"
    return [warning("rate_missed", text)]


def _steps(run: RunResult) -> list[Warning_]:
    """Say so where latency steps to another level inside two launches or more: a quarter of them at least."""
    steps = [ratio for launch in run.launches if abs(ratio := step_ratio(launch.latency_ns)) > _DRIFT_RATIO]
    if len(steps) < max(2, _STEPS_PART * len(run.launches)):
        return []
    many = f"{len(steps)} of {len(run.launches)} launches, by up to {percent(max(map(abs, steps)))}"
    text = f"latency steps to another level inside {many}: clocks that changed, or others' work that began or ended"
    return [warning("level_changed", text)]


def _drift(run: RunResult) -> list[Warning_]:
    """Say so where latency rises or falls inside most launches: warm-up was too short, or the board heats up."""
    moved = [drift_ratio(launch.latency_ns) for launch in run.launches]
    rises, falls = ([ratio for ratio in moved if way * ratio > _DRIFT_RATIO] for way in (1, -1))
    alike = max(rises, falls, key=len)
    if 2 * len(alike) <= len(moved):
        return []
    way = "rises" if alike is rises else "falls"
    text = f"latency {way} by {percent(abs(median(alike)))} inside launches: heat, or warm-up that was too short"
    return [warning("drift", text)]
