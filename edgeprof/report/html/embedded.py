"""The raw data inside a page: the runs' own JSON, compressed, thinned as far as it must be to fit."""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

from edgeprof.records import RunResult
from edgeprof.report.document import rounded, whole
from edgeprof.report.items import run_item

_LIMITS = (None, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 0)
_OUTCOMES = ("labels", "predicted", "float_predicted", "kind", "values", "float_values")
_SERIES = ("latency_ns", "warmup_ns", "guest_instructions", "warmup_guest_instructions", "runs", "time_ns", "readings")


def embedded(runs: Sequence[RunResult], most_bytes: int) -> tuple[str, int | None]:
    """Return the runs' document as base64 of gzip, and to how many samples a launch it was thinned; `None` for all.

    Thinned samples are evenly spaced in their order; at 0 there are none. Every metric is computed from all of them.
    """
    items = [run_item(run, raw=True) for run in runs]
    lengths = [len(launch.latency_ns) for run in runs for launch in run.launches]
    # A sample takes a byte at the very least: what cannot fit is not tried.
    hopeful = [limit for limit in _LIMITS if sum(min(n, limit or n) for n in lengths) <= most_bytes or limit == 0]
    for limit in hopeful:
        if limit == 0:
            items = [run_item(run) for run in runs]
        packed = _packed([_thinned(item, limit) if limit else item for item in items], limit)
        if len(packed) <= most_bytes:
            break
    return packed, limit


def _packed(items: list[dict[str, Any]], limit: int | None) -> str:
    about = {} if limit is None else {"thinned_to": limit}
    text = json.dumps(rounded(whole("runs", items) | about), separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _thinned(item: dict[str, Any], limit: int) -> dict[str, Any]:
    thin = {**item, "launches": [_thin(launch, limit) for launch in item["launches"]]}
    for launch in thin["launches"]:
        launch["blocks"] = []  # they count samples that are not all here
    thin["ops"] = [_thin(op, limit) for op in item["ops"]]
    thin["op_profile"] = _thin(item["op_profile"], limit)
    thin["power"] = _thin(item["power"], limit)
    thin["evaluations"] = [_without_samples(evaluation) for evaluation in item["evaluations"]]
    return thin


def _thin(record: dict[str, Any] | None, limit: int) -> dict[str, Any] | None:
    return record and {
        key: _spaced(part, limit) if key in _SERIES and isinstance(part, list) else part for key, part in record.items()
    }


def _without_samples(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return an evaluation without the outcome of each sample, as documents without samples have it."""
    bare = {key: part for key, part in evaluation.items() if key not in _OUTCOMES}
    scores = [{key: part for key, part in score.items() if key not in _OUTCOMES} for score in evaluation["scores"]]
    return {**bare, "scores": scores}


def _spaced(values: list[float], limit: int) -> list[float]:
    if len(values) <= limit:
        return values
    return [values[len(values) * index // limit] for index in range(limit)]
