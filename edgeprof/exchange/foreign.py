"""What other tools measured, read strictly and marked as foreign: a summary of theirs, never samples of ours."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeprof.compress import load_artifact
from edgeprof.errors import UsageError
from edgeprof.exchange import benchmark_model, mlperf_tiny
from edgeprof.exchange.bundle import is_bundle, read_bundle
from edgeprof.exchange.printed import Printed
from edgeprof.records import RunPlan, RunResult
from edgeprof.units import BYTES_PER_MB
from edgeprof.warnings_ import warning

# Sizes are printed with six digits, or with two decimals.
_SIZE_SLACK_MB = 0.006


@dataclass(frozen=True, slots=True)
class Given:
    """What a person says of a result, for its file does not.

    Attributes:
        model: The `.tflite` file that ran.
        device: What it ran on.
        threads: Threads, or `None` where the result says it.
    """

    model: Path
    device: str
    threads: int | None = None


def read_any(
    paths: Sequence[Path], model: Path | None = None, device: str | None = None, threads: int | None = None
) -> tuple[RunResult, ...]:
    """Return the runs of evidence bundles, or of another tool's result.

    Raises:
        UsageError: A file is no result, or something must be given that is not.
        EvidenceError: A bundle is not what its manifest lists.
        ModelError: The model cannot be read.
    """
    if all(is_bundle(path) for path in paths):
        return tuple(run for path in paths for run in read_bundle(path))
    if model is None or device is None:
        for path in paths:
            _read(path)  # what is no result at all is told first
        raise UsageError(
            "another tool's result does not say for certain what ran where", "add `--model FILE.tflite --device NAME`"
        )
    return (read_foreign(paths, Given(model, device, threads)),)


def read_foreign(paths: Sequence[Path], given: Given) -> RunResult:
    """Return what `benchmark_model` or the MLPerf Tiny runner left, as a foreign run.

    Args:
        paths: One result; of MLPerf Tiny also several `results.txt` of one benchmark (performance, energy, accuracy).
        given: What the files do not say.

    Raises:
        UsageError: A file is no such result, or it is about another model than the one given.
        ModelError: The model cannot be read.
    """
    printed = [_read(path) for path in paths]
    tools = {found.tool for found in printed}
    names = [(figure.name, figure.statistic) for found in printed for figure in found.figures]
    if len(tools) != 1 or len(set(names)) != len(names):
        raise UsageError("these files are not parts of one result", "import one result at a time")
    artifact = load_artifact(given.model)
    first = printed[0]
    _check_size(first, artifact.size_bytes, given.model)
    threads = first.threads or given.threads
    if threads is None:
        raise UsageError(f"`{paths[0]}` does not say with how many threads it ran", "add `--threads N`")
    return RunResult(
        run_id=secrets.token_hex(4),
        created_unix_s=paths[0].stat().st_mtime,
        status="complete",
        failure=None,
        artifact=artifact,
        device=given.device,
        target=None,
        board_id=None,
        plan=RunPlan(looks=(1,), threads=threads, accelerator=first.accelerator),
        runtime=None,
        environment=tuple(pair for found in printed for pair in found.facts),
        warnings=(warning("foreign", f"{first.tool} measured this, in its own way; edgeprof checked nothing of it"),),
        origin=first.tool,
        foreign=tuple(figure for found in printed for figure in found.figures),
    )


def _read(path: Path) -> Printed:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"cannot read `{path}`: {exc.strerror}", "check the path") from exc
    name = str(path)
    if mlperf_tiny.is_one(data):
        return mlperf_tiny.read(data.decode(errors="replace"), name)
    if benchmark_model.is_text(data):
        return benchmark_model.read_text(data.decode(errors="replace"), name)
    if data.lstrip()[:1] == b"{":
        try:
            return benchmark_model.read_json(json.loads(data), name)
        except ValueError as exc:
            raise UsageError(f"`{name}` is not JSON: {exc}", _KINDS) from exc
    return benchmark_model.read_proto(data, name)


def _check_size(found: Printed, size_bytes: int, model: Path) -> None:
    said = found.model_mb
    if said is not None and abs(said - size_bytes / BYTES_PER_MB) > max(_SIZE_SLACK_MB, said * 1e-5):
        text = f"the result is about a model of {said:g} MB, `{model}` has {size_bytes / BYTES_PER_MB:g} MB"
        raise UsageError(text, "name the file that was measured")


_KINDS = "known: what benchmark_model prints, its --result_json and --result_file_path; MLPerf Tiny's results.txt"
