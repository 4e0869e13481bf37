"""A cell while it is measured: its run so far, and what its launches showed besides latencies."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from edgeprof.accuracy import (
    EvalSet,
    Others,
    check_golden,
    clipped,
    decode_outputs,
    doubts,
    encode_golden,
    encode_inputs,
    golden_is_nan,
    judge,
)
from edgeprof.analysis import model_facts
from edgeprof.analysis.weights import content_cost
from edgeprof.errors import ModelError
from edgeprof.profile.launch import Cell, Observed, run_samples
from edgeprof.records import Artifact, ModelFacts, OpProfile, RunResult, StartUp
from edgeprof.remote import Board
from edgeprof.warnings_ import warning


class LiveCell:
    """A run under way.

    Attributes:
        run: The result so far; replaced as it grows.
        cell: What its children run.
        seen: What each launch showed.
    """

    def __init__(self, run: RunResult, cell: Cell) -> None:
        self.run = run
        self.cell = cell
        self.seen: list[Observed] = []

    def title(self) -> str:
        """Return what a person calls it: model, recipe, threads."""
        plan = self.run.plan
        threads = f" {plan.threads} threads" if plan.threads > 1 else ""
        cpus = "" if plan.cpus == "all" else f" cores {plan.cpus}"
        return f"{self.run.artifact.model} {self.run.artifact.recipe}{threads}{cpus}"

    def add(self, seen: Observed) -> None:
        """Take a launch in; the first tells the runtime."""
        self.seen.append(seen)
        self.run = replace(self.run, launches=(*self.run.launches, seen.launch), runtime=seen.runtime)

    def add_cold(self, starts: tuple[StartUp, ...]) -> None:
        """Take cold starts in."""
        self.run = replace(self.run, cold=starts)

    def add_ops(self, profile: OpProfile) -> None:
        """Take the time by operator in."""
        self.run = replace(self.run, op_profile=profile)

    def warn(self, code: str, text: str) -> None:
        """Add a warning, once."""
        found = warning(code, text)
        if found not in self.run.warnings:
            self.run = replace(self.run, warnings=(*self.run.warnings, found))

    def not_measured(self, metric: str, reason: str) -> None:
        """Say that a metric has no value, and why, once."""
        if (metric, reason) not in self.run.not_measured:
            self.run = replace(self.run, not_measured=(*self.run.not_measured, (metric, reason)))


def known_facts(artifact: Artifact) -> ModelFacts | None:
    """Return what an artifact's file says of itself; `None` where it cannot be read so far."""
    with suppress(ModelError):
        return model_facts(artifact.path)
    return None


@cache
def known_content(path: Path, sha256: str) -> tuple[int, int] | None:  # noqa: ARG001 - a file may be written anew
    """Return `analysis.content_cost` of an artifact's file, once for all its cells; `None` where it cannot be read."""
    with suppress(ModelError, OSError):
        return content_cost(path)
    return None


def push_inputs(board: Board, cell: LiveCell) -> None:
    """Put the golden inputs on the board; timed runs then see real values instead of zeros."""
    if cell.run.artifact.golden is None:
        return
    data, _ = encode_golden(cell.run.artifact)
    cell.cell = replace(cell.cell, input_sha256=board.push_input(data))


def check_outputs(board: Board, cell: LiveCell) -> None:
    """Compare the board's outputs on the golden inputs with the host's, before any latency counts."""
    artifact = cell.run.artifact
    if artifact.golden is None or cell.cell.input_sha256 is None:
        cell.warn("golden_not_checked", _NOT_CHECKED)
        return
    _, count = encode_golden(artifact)
    raw = run_samples(board, cell.cell, cell.cell.input_sha256, count)
    result = check_golden(artifact, artifact.golden, raw)
    cell.run = replace(cell.run, golden=result)
    if golden_is_nan(artifact):
        cell.warn("nan_outputs", "outputs are no numbers (NaN), on the host too: is NaN in its weights?")
    if not result.passed:
        quality = "" if result.sqnr_db is None else f", signal to error {result.sqnr_db:.0f} dB"
        cell.warn(
            "golden_failed",
            f"the board computes something else than the host: largest error {result.max_error:g}{quality}; "
            "its runtime does not run this model rightly: try another `--runtime`",
        )


def evaluate(
    board: Board,
    cell: LiveCell,
    evaluation: EvalSet,
    others: Others,
    metrics: tuple[str, ...],
    progress: Callable[[int, int], None],
) -> None:
    """Run a whole evaluation set on the board and put what its outputs are worth into the run.

    Raises:
        ModelError: The set does not fit the model.
    """
    artifact = cell.run.artifact
    inputs = board.push_input(encode_inputs(artifact, evaluation.x), progress)
    raw = run_samples(board, cell.cell, inputs, evaluation.n, progress)
    outputs = decode_outputs(artifact, raw, evaluation.n)
    found = judge(artifact, evaluation, outputs, others, metrics)
    cell.run = replace(cell.run, evaluations=(*cell.run.evaluations, *found))
    for code, text in (*clipped(artifact, evaluation), *doubts(found, outputs, others.floats)):
        cell.warn(code, text)


_NOT_CHECKED = (
    "the outputs were not checked against the host's: it has no runtime to make golden vectors; "
    "`pip install 'edgeprof[compress]'` brings one"
)
