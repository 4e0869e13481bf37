"""What MLPerf Tiny's protocol cannot be asked for, and what makes its answers doubtful."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeprof import units
from edgeprof.accuracy import EvalSet
from edgeprof.errors import UsageError
from edgeprof.profile.request import ProfileRequest
from edgeprof.records import PartOutputs, RunResult, RunWindow
from edgeprof.stats.packed import pack, unpack

# The rule of MLPerf Tiny: the median of five windows of ten seconds and more.
WINDOWS = 5
WINDOW_S = 10.0
# Two good clocks differ by less than a thousandth; a line's and a host's delays are milliseconds.
_CLOCK_RATIO = 0.02
_CLOCK_SLACK_S = 0.1
NO_VECTORS = (
    "whether the firmware holds this model was not checked: the host has no runtime to make golden vectors; "
    "`pip install 'edgeprof[compress]'` brings one"
)
NOT_READ_BACK = (
    "the firmware prints too little of what was loaded to compare it: a flipped digit on the line goes unseen"
)


def check_request(request: ProfileRequest) -> None:
    """Refuse what the protocol has no words for.

    Raises:
        UsageError: Says what, and what to do.
    """
    cells = len(request.cells())
    if cells != 1:
        hint = "its firmware holds one model and has one thread: name one model, one recipe"
        raise UsageError(f"a device of MLPerf Tiny's protocol measures one cell, not {cells}", hint)
    plan = request.plan
    asked = {
        "--threads": plan.threads != 1 or request.threads != (1,),
        "--cpus": request.cpus != ("all",),
        "--rate": plan.rate_hz is not None,
        "--sustained": plan.sustained_s is not None,
        "--per-op": request.per_op,
        "--cold": request.cold,
        "--max-temp": plan.max_temp_mc is not None,
        "--idle": plan.idle,
        "--pin-clocks": plan.pin_clocks is not None,
        "--power-mode": plan.power_mode is not None,
    }
    for option, given in asked.items():
        if given:
            raise UsageError(f"{option}: MLPerf Tiny's protocol knows nothing of it", "leave it out for this device")


def coarse_outputs(output: NDArray[np.float32], evaluation: EvalSet) -> list[tuple[str, str]]:
    """Return pairs of warning code and text about outputs of which too few decimals were printed."""
    if output.shape[1] < 2:
        return []
    highest = np.sort(output, axis=1)
    ties = int(np.sum(highest[:, -1] == highest[:, -2]))
    if not ties:
        return []
    text = f"the two highest outputs of {ties} of {evaluation.n} samples of `{evaluation.name}` read the same"
    return [("coarse_outputs", f"{text} with the decimals printed; the first of them counts")]


def part_outputs(evaluation: EvalSet, rows: Sequence[tuple[float, ...]]) -> PartOutputs | None:
    """Return the outputs of the first samples of a set for the store; `None` where there are none."""
    if not rows:
        return None
    return PartOutputs(evaluation.name, evaluation.sha256, len(rows), pack(np.array(rows, np.float32)))


def stored_outputs(part: PartOutputs | None, evaluation: EvalSet, size: int) -> list[tuple[float, ...]]:
    """Return what is stored of a set's outputs, `size` numbers a sample; nothing where it is another set's."""
    if part is None or (part.data, part.sha256) != (evaluation.name, evaluation.sha256):
        return []
    return [tuple(row) for row in unpack(part.values).reshape(part.n_samples, size).tolist()]


def elements(shape: tuple[int, ...]) -> int:
    """Return how many numbers a tensor holds."""
    return int(np.prod(shape, dtype=np.int64))


def doubtful_windows(windows: Sequence[RunWindow]) -> Iterator[tuple[str, str]]:
    """Yield pairs of warning code and text about windows that are short, few, or timed by a strange clock."""
    shortest = min(window.elapsed_ns for window in windows)
    if shortest < units.seconds_to_ns(WINDOW_S) or len(windows) < WINDOWS:
        text = f"{len(windows)} windows, the shortest of {units.duration(shortest)}"
        yield "short_window", f"{text}; MLPerf Tiny asks for five of 10 s and more (--runs, --launches)"
    for window in windows:
        off_ns = abs(window.elapsed_ns - window.host_ns)
        if off_ns > max(_CLOCK_RATIO * window.host_ns, units.seconds_to_ns(_CLOCK_SLACK_S)):
            text = f"in {units.duration(window.host_ns)} of the host's clock the device's counted"
            yield "device_clock", f"{text} {units.duration(window.elapsed_ns)}: is its unit the microsecond?"
            return


def reached(run: RunResult) -> str:
    """Say how far a run got before it was broken off."""
    windows = f"{len(run.windows)} of {run.plan.looks[-1]} windows"
    return windows if run.part is None else f"{windows} and {run.part.n_samples} samples of `{run.part.data}`"
