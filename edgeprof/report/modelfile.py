"""What a run keeps of its model's file, in words."""

from edgeprof import units
from edgeprof.records import RunResult


def file_text(run: RunResult) -> str:
    """Return what a run's file says of the model: `28.1 k parameters (99.0 % not zero), 1.92 M MACs, …`; or nothing."""
    facts, artifact = run.facts, run.artifact
    if facts is None:
        return ""
    nonzero, parameters = facts.nonzero_parameters, facts.parameters
    zeros = f" ({units.percent(nonzero / parameters)} not zero)" if nonzero is not None and parameters else ""
    parts = [f"{units.count(parameters)} parameters{zeros}"]
    parts.append(f"{units.count(facts.macs)} MACs ({units.count(2 * facts.macs)} FLOPs)")
    parts.append(f"at most {units.size(facts.peak_live_bytes)} of activations at once")
    if facts.gzip_bytes is not None:
        parts.append(f"{units.size(facts.gzip_bytes)} by gzip")
    if artifact.float_bytes:
        parts.append(f"{units.percent(artifact.size_bytes / artifact.float_bytes)} of the plain float file")
    return ", ".join(parts)
