"""Runs, artifacts and comparisons as the items of documents."""

from dataclasses import asdict
from typing import Any

from edgeprof.metrics import estimates
from edgeprof.records import (
    CLOCK_INSTRUCTIONS,
    Artifact,
    Comparison,
    PowerTrace,
    RawLaunch,
    RunPlan,
    RunResult,
    TensorSpec,
)
from edgeprof.report.accuracy import evaluation_items
from edgeprof.report.ops import per_op_items


def run_item(run: RunResult, *, raw: bool = False) -> dict[str, Any]:
    """Return a run; with `raw`, every launch's samples too."""
    item: dict[str, Any] = {
        "run_id": run.run_id,
        "created_unix_s": run.created_unix_s,
        "status": run.status,
        "failure": run.failure,
        "device": run.device,
        "target": run.target,
        "board_id": run.board_id,
        "artifact": artifact_item(run.artifact),
        "plan": _plan(run),
        "runtime": None if run.runtime is None else _fields(run.runtime),
        "accelerator": run.plan.accelerator,
        "group": run.group,
        "session": run.session,
        "cell_sha256": run.cell_sha256,
        "origin": run.origin,
        "environment": dict(run.environment),
        "facts": None if run.facts is None else {**asdict(run.facts), "flops": 2 * run.facts.macs},
        "metrics": metric_items(run),
        "states": [None if state is None else asdict(state) for state in run.states],
        "windows": [_fields(launch) for launch in run.windows],
        "sustained": [_fields(window) for window in run.sustained],
        "summaries": [_fields(launch) for launch in run.summaries],
        **per_op_items(run, raw=raw),
        "power": None if run.power is None else _power(run.power, raw=raw),
        "energy_turns": [_power(trace, raw=raw) for trace in run.energy_turns],
        "not_measured": [{"name": name, "reason": reason} for name, reason in run.not_measured],
        "golden": None if run.golden is None else _fields(run.golden),
        "evaluations": evaluation_items(run, raw=raw),
        "warnings": [{"code": w.code, "text": w.text, "spoils": list(w.spoils)} for w in run.warnings],
    }
    if raw:
        item["launches"] = [_launch(launch, run.plan) for launch in run.launches]
    return item


def artifact_item(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact without paths that mean nothing elsewhere, but for its own."""
    return {
        "path": str(artifact.path),
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
        "model": artifact.model,
        "recipe": artifact.recipe,
        "inputs": [_tensor(spec) for spec in artifact.inputs],
        "outputs": [_tensor(spec) for spec in artifact.outputs],
        "stateful": artifact.stateful,
        "parent_sha256": artifact.parent_sha256,
        "versions": dict(artifact.versions),
        "warnings": [{"code": code, "text": text} for code, text in artifact.warnings],
        "steps": list(artifact.steps),
        "seed": artifact.seed,
        "train_sha256": artifact.train_sha256,
        "float_bytes": artifact.float_bytes,
        "notes": [{"code": code, "text": text} for code, text in artifact.notes],
        "calibration": None if artifact.calibration is None else _fields(artifact.calibration),
    }


def metric_items(run: RunResult) -> list[dict[str, Any]]:
    """Return every metric of a run."""
    return [_fields(estimate) for estimate in estimates(run)]


def comparison_item(comparison: Comparison) -> dict[str, Any]:
    """Return how two runs relate."""
    return _fields(comparison)


def _power(trace: PowerTrace, *, raw: bool) -> dict[str, Any]:
    item = _fields(trace)
    for name in ("idle_before_ns", "run_ns", "idle_after_ns", "time_ns", "readings", "clipped"):
        item[name] = list(item[name])
    if not raw:
        del item["time_ns"], item["readings"]
    return item


def _plan(run: RunResult) -> dict[str, Any]:
    return {**_fields(run.plan), "looks": list(run.plan.looks)}


def _launch(launch: RawLaunch, plan: RunPlan) -> dict[str, Any]:
    if plan.clock == CLOCK_INSTRUCTIONS:
        return {
            "index": launch.index,
            "guest_instructions": [plan.amount(value) for value in launch.latency_ns],
            "warmup_guest_instructions": [plan.amount(value) for value in launch.warmup_ns],
            "started_unix_ns": launch.started_unix_ns,
            "blocks": list(launch.blocks),
        }
    item = _fields(launch)
    item["start_up"] = _fields(launch.start_up)
    for name in ("latency_ns", "warmup_ns", "blocks"):
        item[name] = list(getattr(launch, name))
    return item


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {**_fields(spec), "shape": list(spec.shape)}


def _fields(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any flat frozen dataclass
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
