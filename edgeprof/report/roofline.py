"""The board's peaks, and each operator against them, for people and as JSON."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from edgeprof import units
from edgeprof.records import RunResult
from edgeprof.report.words import reason_words
from edgeprof.stats.ops import OpShare
from edgeprof.stats.roofline import OpLimit, Roof, op_limit, roof

# A range narrower than this reads like the figure itself.
_VISIBLE_RATIO = 0.02
_NO_PEAKS = OpLimit(not_known="no_peaks")


def roof_of(run: RunResult) -> Roof | None:
    """Return the limits of the board that a run was held against, or `None`."""
    return None if run.peaks is None else roof(run.peaks, run.facts)


def limit_of(row: OpShare, above: Roof | None) -> OpLimit:
    """Return a row's limit; the rest of a run has none."""
    if above is None or row.op is None:
        return _NO_PEAKS
    return op_limit(row.op, row.amount, above)


def limit_text(limit: OpLimit) -> str:
    """Return `compute, 62.0 %`, or `L2, 62.0 %`: what bounds an operator and how much of that limit it reaches."""
    if limit.bound is None or limit.reached_ratio is None or limit.reached_low_ratio is None:
        return ""
    by = limit.place if limit.bound == "memory" and limit.place else limit.bound
    low, high = units.percent(limit.reached_low_ratio), units.percent(limit.reached_ratio)
    if limit.reached_low_ratio >= (1 - _VISIBLE_RATIO) * limit.reached_ratio:
        return f"{by}, {high}"
    return f"{by}, {low.removesuffix(' %')} … {high}"


def peaks_text(run: RunResult) -> str:
    """Return the board's peaks as a sentence, or why there are none; empty where nobody asked."""
    above = roof_of(run)
    if above is None or run.peaks is None:
        reason = dict(run.not_measured).get("peaks")
        return f"roofline: not measured ({reason_words(reason)})" if reason else ""
    parts = [f"{kind} {macs_rate(value)}" for kind, value in above.macs_per_s.items()]
    if above.bytes_per_s is not None and above.working_set_bytes is not None:
        moved = f"{bytes_rate(above.bytes_per_s)}, {units.size(above.working_set_bytes)} at a time"
        parts.append(f"memory {moved}{_inside(above, above.working_set_bytes)}")
    if above.beyond_bytes_per_s is not None and above.beyond_bytes is not None:
        moved = f"{bytes_rate(above.beyond_bytes_per_s)}, {units.size(above.beyond_bytes)} at a time"
        parts.append(f"{moved}{_inside(above, above.beyond_bytes)}")
    parts.append(_caches_text(above))
    parts += [f"{kind} not measured ({why})" for kind, why in run.peaks.not_measured]
    when = f"{datetime.fromtimestamp(run.peaks.measured_unix_s, UTC):%Y-%m-%d %H:%M} UTC"
    threads = f"{run.plan.threads} thread{'s' if run.plan.threads > 1 else ''}"
    return f"peaks of this board with {threads}, measured on it {when}: {'; '.join(parts)}"


def _inside(above: Roof, size_bytes: int) -> str:
    """Return the nearest cache that holds a block, or that none does; nothing where no cache is known."""
    if not above.caches:
        return ""
    name = next((cache.name for cache in above.caches if cache.size_bytes >= size_bytes), None)
    return f" (in {name})" if name else " (beyond the caches)"


def _caches_text(above: Roof) -> str:
    if not above.caches:
        return "cache sizes not known: what is bound by `memory` may be bound by a cache"
    rates = (f" {bytes_rate(cache.bytes_per_s)}" if cache.bytes_per_s else "" for cache in above.caches)
    texts = (
        f"{cache.name} ({units.size(cache.size_bytes)}){rate}" for cache, rate in zip(above.caches, rates, strict=True)
    )
    return f"caches of a core: {', '.join(texts)}"


def peaks_item(run: RunResult, *, raw: bool) -> dict[str, Any] | None:
    """Return a board's peaks for a document; with `raw`, every run of the probes too."""
    above = roof_of(run)
    if above is None or run.peaks is None:
        return None
    probes = [{**asdict(probe), "runs_ns": list(probe.runs_ns)} for probe in run.peaks.probes]
    for probe in probes if not raw else ():
        del probe["runs_ns"]
    return {
        **asdict(above),
        "measured_unix_s": run.peaks.measured_unix_s,
        "conditions": dict(run.peaks.conditions),
        "not_measured": [{"kind": kind, "text": text} for kind, text in run.peaks.not_measured],
        "probes": probes,
    }


def limit_item(limit: OpLimit) -> dict[str, Any]:
    """Return a row's limit for a document."""
    found = {
        name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in asdict(limit).items()
    }
    found["not_measured"] = found.pop("not_known")
    return found


def macs_rate(per_s: float) -> str:
    """Return `79.2 GMAC/s`."""
    return f"{units.count(per_s)}MAC/s"


def bytes_rate(per_s: float) -> str:
    """Return `25.4 GiB/s`."""
    return f"{units.size(per_s)}/s"
