"""Running a gate: measure what its checks need, judge, and measure again what did not pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edgeprof.accuracy.evaluation import DEFAULT_NAME
from edgeprof.compress import CompressRequest
from edgeprof.devices import Device, find_device
from edgeprof.errors import EdgeprofError
from edgeprof.profile import Job, ProfileRequest, Watch, check, measure
from edgeprof.profile.inputs import Inputs, gather
from edgeprof.records import RunPlan, RunResult
from edgeprof.remote import SetupOptions
from edgeprof.store import Store
from edgeprof.validate.baselines import Baseline, load_baselines
from edgeprof.validate.figures import least_runs
from edgeprof.validate.release import Check, Release, Released
from edgeprof.validate.verdicts import INCONCLUSIVE, PASS, GateResult, Verdict, gather_evidence, judge

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
    return GateResult(verdicts, (*runs.values(), *more.values()), (*errors, *later))


def final(first: Verdict, second: Verdict | None) -> Verdict:
    """Return a check's verdict after both stages: the second where there is one, with the first beside it."""
    if second is None:
        return first
    if second.value is None:  # measuring again failed: what failed once is not confirmed, and not refuted
        return replace(first, verdict=INCONCLUSIVE, reason=f"not confirmed: {second.reason}", first=first)
    return replace(second, first=first)


def _judged(
    checks: Sequence[Check], runs: dict[_Place, RunResult], baselines: dict[Path, tuple[Baseline, ...]]
) -> list[Verdict]:
    by_place = {(place.artifact, place.device.name): run for place, run in runs.items()}
    return judge(
        [
            gather_evidence(
                check, by_place.get((check.artifact, check.device)), baselines[check.baseline] if check.baseline else ()
            )
            for check in checks
        ]
    )


def _request(place: _Place, release: Release, watch: GateWatch) -> ProfileRequest:
    artifact = place.artifact
    keys = {check.figure.key for check in release.checks if check.artifact == artifact}
    plan = RunPlan(min_runs=max(RunPlan().min_runs, least_runs(keys)), runtime=artifact.runtime or "auto")
    request = ProfileRequest(
        (), plan, (artifact.threads,), (artifact.cpus,), setup=SetupOptions(runtime=artifact.runtime)
    )
    recipes = () if artifact.recipe is None else (artifact.recipe,)
    compression = CompressRequest(artifact.file, recipes, artifact.calibration, preprocessing=artifact.preprocessing)
    evaluations = () if artifact.evaluation is None else ((DEFAULT_NAME, artifact.evaluation),)
    return gather(Inputs((artifact.file,), evaluations, compression), request, watch.host)


def _measured(
    requests: dict[_Place, ProfileRequest], launches: int, setting: _Setting
) -> tuple[dict[_Place, RunResult], list[EdgeprofError]]:
    jobs = [Job(replace(request, launches=launches), place.device) for place, request in requests.items()]
    for job in jobs:
        check(job.request)
    outcomes = measure(jobs, setting.store, setting.watch)
    failures = [
        f for job, outcome in zip(jobs, outcomes, strict=True) for f in (*job.request.failures, *outcome.failures)
    ]
    runs = {place: outcome.runs[0] for place, outcome in zip(requests, outcomes, strict=True) if outcome.runs}
    return runs, [failure.error for failure in failures]
