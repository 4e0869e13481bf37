"""Baselines: what an accepted build cost, launch by launch, in a file that lies in git beside the release file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof.compare.conditions import Change, conditions, differing
from edgeprof.errors import UsageError
from edgeprof.records import ORIGIN, RunResult
from edgeprof.validate.figures import FIGURES, Missing, values

SCHEMA, KIND = 1, "baseline"
# A new build changes what it is; everything else must be as it was.
_CHANGES = ("artifact", "recipe")


@dataclass(frozen=True, slots=True)
class Baseline:
    """An accepted run.

    Attributes:
        run_id: Its name in the store it came from.
        created_unix_s: When it began.
        model: Its model.
        recipe: How that was made.
        device: Where it ran.
        conditions: Everything its figures depend on, by name.
        figures: Values by figure, one a launch or process.
    """

    run_id: str
    created_unix_s: float
    model: str
    recipe: str
    device: str
    conditions: dict[str, str]
    figures: dict[str, tuple[float, ...]]

    def differences(self, run: RunResult) -> tuple[Change, ...]:
        """Return the conditions in which a run differs, besides what a new build changes."""
        return tuple(c for c in differing(self.conditions, conditions(run)) if c.name not in _CHANGES)


def save_baselines(runs: Sequence[RunResult], path: Path) -> tuple[Baseline, ...]:
    """Write runs into a baseline file; an older one of the same model, recipe, device, threads and cores is replaced.

    Raises:
        UsageError: A run is not fit to be one, or the file cannot be read or written.
    """
    made = [_baseline(run) for run in runs]
    kept = (
        [old for old in load_baselines(path) if _key(old) not in {_key(new) for new in made}] if path.exists() else []
    )
    found = sorted((*kept, *made), key=_key)
    whole = {"schema": SCHEMA, "kind": KIND, "items": [baseline_item(baseline) for baseline in found]}
    try:
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write `{path}`: {exc.strerror}", "name a file in a folder that exists") from exc
    return tuple(made)


def load_baselines(path: Path) -> tuple[Baseline, ...]:
    """Return the baselines of a file.

    Raises:
        UsageError: It is not there, or is no baseline file.
    """
    hint = f"`edgeprof baseline save RUN -o {path}` writes one from a stored run"
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["kind"] != KIND or whole["schema"] != SCHEMA:
            raise UsageError(f"`{path}` is a {whole['kind']} of schema {whole['schema']}, no baseline", hint)
        return tuple(_loaded(item) for item in whole["items"])
    except OSError as exc:
        raise UsageError(f"cannot read the baseline `{path}`: {exc.strerror}", hint) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UsageError(f"`{path}` is no baseline file: {exc}", hint) from exc


def _baseline(run: RunResult) -> Baseline:
    doubt = _unfit(run)
    if doubt:
        raise UsageError(f"run {run.run_id} is no baseline: {doubt}", "measure it again, then save that run")
    found = {figure.key: values(run, figure) for figure in FIGURES if figure.in_turns}
    figures = {key: got for key, got in found.items() if not isinstance(got, Missing)}
    artifact = run.artifact
    return Baseline(
        run.run_id, run.created_unix_s, artifact.model, artifact.recipe, run.device, conditions(run), figures
    )


def _unfit(run: RunResult) -> str:
    if run.origin != ORIGIN:
        return f"{run.origin} measured it, not edgeprof"
    if run.status != "complete":
        return f"it is {run.status}"
    if run.golden is not None and not run.golden.passed:
        return "its outputs differ from the host's"
    return "one launch gives no interval" if len(run.launches) < 2 else ""


def _key(baseline: Baseline) -> tuple[str, ...]:
    about = (baseline.conditions.get(name, "") for name in ("metric", "threads", "cores"))
    return (baseline.model, baseline.recipe, baseline.device, *about)


def baseline_item(baseline: Baseline) -> dict[str, Any]:
    """Return a baseline as JSON."""
    item = {name: getattr(baseline, name) for name in baseline.__dataclass_fields__}
    return {**item, "figures": {key: list(found) for key, found in baseline.figures.items()}}


def _loaded(item: dict[str, Any]) -> Baseline:
    figures = {str(key): tuple(float(value) for value in found) for key, found in item["figures"].items()}
    if any(value <= 0 for found in figures.values() for value in found):
        raise ValueError("a figure is not above 0")
    known = {str(name): str(text) for name, text in item["conditions"].items()}
    model, recipe, device = (str(item[name]) for name in ("model", "recipe", "device"))
    return Baseline(str(item["run_id"]), float(item["created_unix_s"]), model, recipe, device, known, figures)
