"""What to profile: artifacts, plans, data; and what a plan may hold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgeprof.accuracy import EvalSet, Others, load_reference
from edgeprof.devices import RUNTIMES
from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean
from edgeprof.power.source import PowerSource
from edgeprof.profile.outcome import Failure
from edgeprof.records import CLOCK_INSTRUCTIONS, Artifact, Reference, RunPlan, Warning_
from edgeprof.remote import SetupOptions
from edgeprof.stats import MARGIN_RATIO

_COUNTED_LOOKS = (4, 8)
_COUNTED_RUNS = 16
MOST_THREADS = 256
PER_OP_BY = ("auto", "profiler", "submodels")
MOST_RUNS = 2_000_000
_CPUS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """What to measure on each device.

    Attributes:
        artifacts: The files to run.
        plan: What holds for every cell.
        threads: A cell for each.
        cpus: A cell for each: `all`, `big`, `little`, `0-3`, `0,2`.
        evaluations: Samples, with labels or without, all run on the device; the first set is the headline's.
        metrics: What accuracy is measured in, the headline first; none for what goes with the labels.
        references: The float model's outputs, by the names of model and set.
        host: What this machine makes of the first samples of the first set, by an artifact's hash.
        setup: How to get boards ready.
        warnings: What is known to be doubtful before anything ran.
        failures: What could not be made on the host.
        reconnect_s: How long to try to get a board back after its link was lost.
        launches: How many the user asked for, or `None` for as many as each board's plan needs.
        verdict_only: Measure until every comparison has its verdict, instead of until every interval is narrow; and
            nothing that a comparison does not need.
        control: Run every cell twice, against itself: any difference found is a false alarm.
        margin_ratio: A change within this share counts as the same.
        per_op: Time by operator too.
        per_op_by: `auto` (the profiler, or sub-models where there is none), `profiler` or `submodels`.
        cold: Cold starts too.
        energy: Power and energy too, where the board has a sensor.
        resume: Go on with the newest session that measured any of these cells: what it completed is not measured again.
        source: Where from: one of its rails, or a meter on this host.
    """

    artifacts: tuple[Artifact, ...]
    plan: RunPlan = field(default_factory=RunPlan)
    threads: tuple[int, ...] = (1,)
    cpus: tuple[str, ...] = ("all",)
    evaluations: tuple[EvalSet, ...] = ()
    metrics: tuple[str, ...] = ()
    references: tuple[tuple[tuple[str, str], Reference], ...] = ()
    host: tuple[tuple[str, tuple[NDArray[np.float32], ...]], ...] = ()
    setup: SetupOptions = field(default_factory=SetupOptions)
    warnings: tuple[Warning_, ...] = ()
    failures: tuple[Failure, ...] = ()
    reconnect_s: float = 30.0
    launches: int | None = None
    verdict_only: bool = False
    control: bool = False
    margin_ratio: float = MARGIN_RATIO
    per_op: bool = False
    per_op_by: str = "auto"
    cold: bool = False
    energy: bool = True
    resume: bool = False
    source: PowerSource = field(default_factory=PowerSource)

    def cells(self) -> tuple[tuple[Artifact, RunPlan], ...]:
        """Return every artifact with every plan, artifacts innermost so that they are neighbours in time."""
        plans = [replace(self.plan, threads=t, cpus=c) for t in self.threads for c in self.cpus]
        cells = tuple((artifact, plan) for plan in plans for artifact in self.artifacts)
        return cells * 2 if self.control else cells

    def others(self, artifact: Artifact, evaluation: EvalSet) -> Others:
        """Return what a device's outputs on a set are compared with."""
        host = dict(self.host).get(artifact.sha256) if evaluation is self.evaluations[0] else None
        return Others(load_reference(self.reference(artifact, evaluation)), host)

    def reference(self, artifact: Artifact, evaluation: EvalSet) -> Reference | None:
        """Return the float model's outputs on a set, or `None` where the model was given as `.tflite`."""
        return dict(self.references).get((artifact.model, evaluation.name))


def plan_on(request: ProfileRequest, plan: RunPlan, ns_per_instruction: int | None) -> RunPlan:
    """Return the plan as one board's clock asks for: counts of instructions repeat, so few runs say as much as many.

    Args:
        request: What the user asked for, which stands.
        plan: A cell's plan.
        ns_per_instruction: What an instruction adds to the board's clock, or `None` where that counts time.
    """
    asked = None if request.launches is None else (request.launches,)
    if ns_per_instruction is None:
        return replace(plan, looks=asked or plan.looks)
    return replace(
        plan,
        looks=asked or _COUNTED_LOOKS,
        clock=CLOCK_INSTRUCTIONS,
        ns_per_instruction=ns_per_instruction,
        runs=plan.runs or _COUNTED_RUNS,
        warmup_s=0.0,
    )


def check(request: ProfileRequest) -> None:
    """Refuse what no board can do.

    Raises:
        UsageError: A number is out of its range, or the runtime is unknown; the message says which.
    """
    plan = request.plan
    _in_range("--launches", request.launches, 1, 1000)
    _in_range("--runs", plan.runs, 1, MOST_RUNS)
    _in_range("--rate", plan.rate_hz, 0.01, 10_000)
    _in_range("--sustained", plan.sustained_s and plan.sustained_s / 60, 0.02, 1440)
    _in_range("--margin", request.margin_ratio, 0.0001, 1)
    _in_range("--precision", plan.precision_ratio, 0.0001, 1)
    _in_range("--timeout", plan.timeout_s, 1, 86_400)
    _in_range("--wait", plan.gate_s, 0, 86_400)
    _in_range("--reconnect", request.reconnect_s, 0, 86_400)
    if request.artifacts:
        check_pair(request, len(request.artifacts))
    if request.setup.runtime not in (None, *RUNTIMES):
        hint = did_you_mean(request.setup.runtime, RUNTIMES) + f"known runtimes: {', '.join(RUNTIMES)}"
        raise UsageError(f"unknown runtime: `{request.setup.runtime}`", hint)
    if request.per_op_by not in PER_OP_BY:
        hint = did_you_mean(request.per_op_by, PER_OP_BY) + f"known: {', '.join(PER_OP_BY)}"
        raise UsageError(f"--per-op-by `{request.per_op_by}` is unknown", hint)
    for wheel in request.setup.wheels:
        if not wheel.is_file():
            raise UsageError(f"there is no wheel at `{wheel}`", "check the path given to --wheel")
    program = request.setup.benchmark_model
    if program is not None and not program.is_file():
        raise UsageError(f"there is no program at `{program}`", "check the path given to --benchmark-model")
    for threads in request.threads:
        _in_range("--threads", threads, 1, MOST_THREADS)
    for cpus in request.cpus:
        if cpus not in ("all", "big", "little"):
            parse_cpus(cpus)


def check_pair(request: ProfileRequest, artifacts: int) -> None:
    """Refuse to measure anything but two things against one another, where a verdict on a pair is asked for.

    Args:
        request: What was asked for; its own artifacts do not matter.
        artifacts: How many there are, or will be.

    Raises:
        UsageError: That many artifacts, with all plans, are not two.
    """
    cells = artifacts * len(request.threads) * len(request.cpus) * (2 if request.control else 1)
    if request.verdict_only and cells != 2:
        hint = "name two models (a file named twice counts once), two recipes, or two `--threads` or `--cpus`"
        hint += "; `--control` for one alone"
        raise UsageError(f"a pair is two of something, and this makes {cells}", hint)


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the cores that `0-3` or `0,2` names, sorted.

    Raises:
        UsageError: It names none.
    """
    cores: set[int] = set()
    for part in text.split(","):
        match = _CPUS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last > 4095:
            raise UsageError(f"--cpus `{text}` names no cores", "write `all`, `big`, `little`, `0-3` or `0,2`")
        cores.update(range(first, last + 1))
    return tuple(sorted(cores))


def resolve_cpus(text: str, cpus: Sequence[tuple[int, int | None]], device: str) -> tuple[int, ...] | None:
    """Return the cores for one board, or `None` for all.

    Args:
        text: As the user said it.
        cpus: The board's cores: index, and capacity or highest clock (anything that orders them), or `None`.
        device: Its name, for the message.

    Raises:
        UsageError: The board has no such cores.
    """
    if text == "all":
        return None
    there = {index for index, _ in cpus}
    if text in ("big", "little"):
        return _cluster(text, cpus, device)
    wanted = parse_cpus(text)
    missing = [core for core in wanted if core not in there]
    if missing:
        raise UsageError(
            f"--cpus `{text}`: `{device}` has no core {missing[0]}", f"it has cores {min(there)}-{max(there)}"
        )
    return wanted


def _cluster(text: str, cpus: Sequence[tuple[int, int | None]], device: str) -> tuple[int, ...]:
    ranks = {rank for _, rank in cpus if rank is not None}
    known = [index for index, _ in cpus]
    if len(ranks) < 2:
        raise UsageError(
            f"--cpus `{text}`: the cores of `{device}` are all alike, as far as it says",
            f"write `all`, or cores by number: it has {min(known)}-{max(known)}",
        )
    wanted = max(ranks) if text == "big" else min(ranks)
    return tuple(index for index, rank in cpus if rank == wanted)


def _in_range(option: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise UsageError(f"{option} {value:.12g} is out of range", f"from {low:g} to {_grouped(high)}")


def _grouped(number: float) -> str:
    return f"{number:,}".replace(",", " ")
