"""Running a gate: measure what its checks need, judge, and measure again what did not pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edgeprof.compress import CompressRequest, load_artifact
from edgeprof.devices import Device, find_device
from edgeprof.errors import EdgeprofError
from edgeprof.profile import Job, ProfileRequest, Watch, check, measure
from edgeprof.profile.inputs import Inputs, gather
from edgeprof.records import RunPlan, RunResult
from edgeprof.remote import SetupOptions
from edgeprof.store import Store
from edgeprof.validate.baselines import Baseline, load_baselines
from edgeprof.validate.evidence import gather_evidence
from edgeprof.validate.figures import least_runs, runs_for
from edgeprof.validate.release import Check, Release, Released
from edgeprof.validate.verdicts import INCONCLUSIVE, PASS, GateResult, Verdict, judge

# The second stage has so many times the launches of the first.
_MORE = 2


class GateWatch(Watch, Protocol):
    """Somebody who watches a gate: a profile's watch that is told of work on the host too."""

    def host(self, text: str, share: float | None) -> None:
        """Be told of work on this machine."""


@dataclass(frozen=True, slots=True)
class _Place:
    """An artifact on a device: what is measured at once for all of its checks."""

    artifact: Released
    device: Device


@dataclass(frozen=True, slots=True)
class _Setting:
    store: Store
    watch: GateWatch


def run_gate(release: Release, store: Store, watch: GateWatch) -> GateResult:
    """Measure and judge a release.

    Every check is judged after a first stage. Whatever did not pass there and could be decided by more launches is
    measured again, in fresh processes and twice as many, and the second verdict stands; the first is kept beside it.
    The chance of a wrong verdict holds for the whole gate: half of it for each stage, shared within by Holm.

    Raises:
        UsageError: A device is unknown, or a baseline cannot be read.
        ModelError: An artifact cannot be made.
    """
    devices = {check.device: find_device(check.device) for check in release.checks}
    baselines = {check.baseline: load_baselines(check.baseline) for check in release.checks if check.baseline}
    places = list(dict.fromkeys(_Place(check.artifact, devices[check.device]) for check in release.checks))
    setting = _Setting(store, watch)
    requests = {place: _request(place, release, watch) for place in places}
    for device, text in _lacking(requests, release, baselines):
        watch.say(device, text)
    runs, errors = _measured(requests, release.launches, setting)
    first = _judged(release.checks, runs, baselines)
    open_ = [one.check for one in first if one.sampled and one.verdict != PASS]
    again = {
        place: request for place, request in requests.items()
        if any((check.artifact, check.device) == (place.artifact, place.device.name) for check in open_)
    }  # fmt: skip
    more, later = _measured(again, _MORE * release.launches, setting)
    second = dict(zip(open_, _judged(open_, more, baselines), strict=True))
    verdicts = tuple(final(one, second.get(one.check)) for one in first)
    measured = tuple(run for found in (*runs.values(), *more.values()) for run in found)
    return GateResult(verdicts, measured, (*errors, *later))


def _lacking(
    requests: dict[_Place, ProfileRequest], release: Release, baselines: dict[Path, tuple[Baseline, ...]]
) -> Iterator[tuple[str, str]]:
    """Yield devices with what a file of baselines does not hold for them: told before minutes of measuring."""
    for place, request in requests.items():
        device = place.device.name
        held = [one for one in release.checks if (one.artifact, one.device) == (place.artifact, device)]
        for file in dict.fromkeys(one.baseline for one in held if one.baseline):
            there = {(one.model, one.recipe, one.device) for one in baselines[file]}
            for made in request.artifacts[:1]:
                if (made.model, made.recipe, device) not in there:
                    what = f"no baseline of {made.model} {made.recipe} in `{file.name}`"
                    yield device, f"{what}: what is held against it stays inconclusive"


def final(first: Verdict, second: Verdict | None) -> Verdict:
    """Return a check's verdict after both stages: the second where there is one, with the first beside it."""
    if second is None:
        return first
    if second.value is None:  # measuring again failed: what failed once is not confirmed, and not refuted
        return replace(first, verdict=INCONCLUSIVE, reason=f"not confirmed: {second.reason}", first=first)
    return replace(second, first=first)


def _judged(
    checks: Sequence[Check], runs: dict[_Place, tuple[RunResult, ...]], baselines: dict[Path, tuple[Baseline, ...]]
) -> list[Verdict]:
    by_place = {(place.artifact, place.device.name): found for place, found in runs.items()}
    evidence = []
    for one in checks:
        run, *others = by_place.get((one.artifact, one.device), (None,))
        older = next((other for other in others if other and one.older and _is_of(other, one.older)), None)
        evidence.append(gather_evidence(one, run, baselines[one.baseline] if one.baseline else (), older))
    return judge(evidence)


def _is_of(run: RunResult, file: Path) -> bool:
    return run.artifact.path.resolve() == file.resolve()


def _request(place: _Place, release: Release, watch: GateWatch) -> ProfileRequest:
    artifact = place.artifact
    checks = [c for c in release.checks if (c.artifact, c.device) == (artifact, place.device.name)]
    keys = {check.figure.key for check in checks}
    late = [runs_for(check.limit) for check in checks if check.figure.key == "missed" and check.limit]
    plan = RunPlan(
        min_runs=max(RunPlan().min_runs, least_runs(keys), *late, 0),
        runtime=artifact.runtime or "auto",
        rate_hz=artifact.rate_hz,
        pin_clocks=artifact.pin_clocks,
        power_mode=artifact.power_mode,
    )
    request = ProfileRequest(
        (),
        plan,
        (artifact.threads,),
        (artifact.cpus,),
        metrics=artifact.metrics,
        setup=SetupOptions(runtime=artifact.runtime),
        per_op="delegated" in keys,
        energy="energy" in keys,
    )
    recipes = () if artifact.recipe is None else (artifact.recipe,)
    compression = CompressRequest(
        artifact.file,
        recipes,
        artifact.calibration,
        preprocessing=artifact.preprocessing,
        train=artifact.train,
        seed=artifact.sampling.seed,
        calibration_samples=artifact.sampling.samples,
        calibration_choice=artifact.sampling.choice,
    )
    inputs = Inputs((artifact.file,), artifact.evaluations, compression, artifact.corruptions)
    request = gather(inputs, request, watch.host)
    older = dict.fromkeys(check.older for check in checks if check.older)
    return replace(request, artifacts=(*request.artifacts, *(load_artifact(file) for file in older)))


def _measured(
    requests: dict[_Place, ProfileRequest], launches: int, setting: _Setting
) -> tuple[dict[_Place, tuple[RunResult, ...]], list[EdgeprofError]]:
    jobs = [Job(replace(request, launches=launches), place.device) for place, request in requests.items()]
    for job in jobs:
        check(job.request)
    outcomes = measure(jobs, setting.store, setting.watch)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    failures += [failure for job in jobs for failure in job.request.failures]
    runs = {place: outcome.runs for place, outcome in zip(requests, outcomes, strict=True) if outcome.runs}
    return runs, [failure.error for failure in failures]
