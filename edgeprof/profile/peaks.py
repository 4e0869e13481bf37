"""What a board reaches at most: short probes, kept on the board and used again under the same conditions."""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from edgeprof.analysis import Probe, probes
from edgeprof.boards import BoardFacts, clocks_text
from edgeprof.errors import DeviceError, LinkLost
from edgeprof.profile.cells import LiveCell
from edgeprof.profile.launch import child_request, int64s
from edgeprof.records import CLOCK_INSTRUCTIONS, PeakProbe, Peaks
from edgeprof.remote import Board
from edgeprof.store import documents

# Kept figures are measured anew after a day: what a kernel or a supply does to clocks is no condition that shows.
_FRESH_S = 24 * 3600.0
_PROBE_S = 0.2
_FEWEST_RUNS = 5
_MOST_RUNS = 200
# Other probes, or another way to read them, must not meet figures of these.
_EDITION = 1
_LEAST_BYTES = 256 << 10
# Beyond the caches of every board in `targets/`.
MEMORY_BYTES = 64 << 20

Say = Callable[[str], None]


def measure_peaks(board: Board, cell: LiveCell, facts: BoardFacts, say: Say) -> None:
    """Put the board's peaks into the run, kept ones where they hold, or the reason why there are none.

    Raises:
        LinkLost: The way is gone.
    """
    if cell.run.plan.clock == CLOCK_INSTRUCTIONS:
        cell.not_measured("peaks", "clock_counts_instructions")
        return
    conditions = _conditions(cell, facts)
    name = f"peaks/{hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:16]}.json"
    known = _kept(board, name)
    if known is None:
        say("the board's peaks, once a day")
        known = _products(board, cell, Peaks((), conditions, time.time()))
    known = replace(known, caches=facts.caches(cell.cell.cpus))
    missing = sorted(_blocks(cell, facts) - {probe.size_bytes for probe in known.probes if probe.size_bytes})
    if missing:
        known = _memory(board, cell, known, missing)
        with suppress(DeviceError):  # a full disk: they are measured again next time
            board.keep(name, documents.dump(known).encode())
    cell.run = replace(cell.run, peaks=known)


def working_set_bytes(cell: LiveCell) -> int:
    """Return the size at which memory is probed for a model: what it touches, as the next power of two."""
    touched = cell.run.facts.working_set_bytes if cell.run.facts else 0
    return max(_LEAST_BYTES, 1 << max(0, touched - 1).bit_length())


def _blocks(cell: LiveCell, facts: BoardFacts) -> set[int]:
    """Return the sizes at which memory is probed: the model's, one in each cache that is large enough, and beyond."""
    least = _LEAST_BYTES * cell.run.plan.threads  # a block of each thread: a smaller one would time the calls
    cached = [cache.size_bytes // 2 for cache in facts.caches(cell.cell.cpus)]
    wanted = {MEMORY_BYTES, max(least, working_set_bytes(cell)), *(size for size in cached if size >= least)}
    return {_room(size, facts) for size in wanted}


def _conditions(cell: LiveCell, facts: BoardFacts) -> tuple[tuple[str, str], ...]:
    plan, runtime = cell.run.plan, cell.run.runtime
    pairs = {
        "probes": _EDITION,
        "runtime": f"{runtime.name} {runtime.version}" if runtime else None,
        "library_sha256": runtime.library_sha256 if runtime else None,
        "threads": plan.threads,
        "cpus": plan.cpus,
        "cores": facts.core_summary(),
        "governor": " ".join(facts.governors()) or None,
        "clocks": clocks_text(facts.policies),
        "kernel": facts.kernel,
        "board_id": facts.board_id,
    }
    return tuple((name, str(value)) for name, value in pairs.items() if value is not None)


def _kept(board: Board, name: str) -> Peaks | None:
    data = board.kept(name)
    if data is None:
        return None
    try:
        found = documents.load(Peaks, data.decode())
    except (ValueError, UnicodeError):
        return None
    return found if 0 <= time.time() - found.measured_unix_s < _FRESH_S else None


def _products(board: Board, cell: LiveCell, peaks: Peaks) -> Peaks:
    for arithmetic in ("float32", "int8"):
        try:
            found = tuple(_product(board, cell, probe) for probe in probes(arithmetic))
        except DeviceError as exc:
            peaks = replace(peaks, not_measured=(*peaks.not_measured, (arithmetic, exc.message)))
        else:
            peaks = replace(peaks, probes=(*peaks.probes, *found))
    return peaks


def _product(board: Board, cell: LiveCell, probe: Probe) -> PeakProbe:
    sha256 = hashlib.sha256(probe.model).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "probe.tflite")
        path.write_bytes(probe.model)
        board.push_model(path, sha256)
    agent, timeout_s = board.agent, cell.run.plan.timeout_s
    child = agent.open(child_request(board, replace(cell.cell, sha256=sha256, input_sha256=None))).child
    try:
        agent.invoke_for(child, _PROBE_S / 2, _FEWEST_RUNS, timeout_s)
        done = agent.invoke_for(child, _PROBE_S, _FEWEST_RUNS, timeout_s, most_samples=_MOST_RUNS)
        return PeakProbe(probe.arithmetic, probe.what, probe.macs, int64s(board, done))
    finally:
        with suppress(DeviceError, LinkLost):
            agent.close(child, acknowledged=True)


def _memory(board: Board, cell: LiveCell, peaks: Peaks, sizes: list[int]) -> Peaks:
    try:
        found = _moved(board, cell, sizes)
    except DeviceError as exc:  # also an agent that cannot do it
        others = [pair for pair in peaks.not_measured if pair[0] != "memory"]  # kept ones may say it already
        return replace(peaks, not_measured=(*others, ("memory", exc.message)))
    return replace(peaks, probes=(*peaks.probes, *found))


def _moved(board: Board, cell: LiveCell, sizes: list[int]) -> tuple[PeakProbe, ...]:
    agent, plan = board.agent, cell.run.plan
    child = agent.open(child_request(board, cell.cell)).child
    found = []
    try:
        for size_bytes in sizes:
            for how in ("copy", "read"):
                got = agent.stream(child, how, size_bytes, plan.threads, plan.timeout_s)
                found.append(PeakProbe("memory", how, got.round_bytes, got.rounds_ns, size_bytes))
    finally:
        with suppress(DeviceError, LinkLost):  # gone already, or with the link
            agent.close(child, acknowledged=True)
    return tuple(found)


def _room(size_bytes: int, facts: BoardFacts) -> int:
    """Return a size that a quarter of the board's free memory holds."""
    if facts.memory_available_bytes is None:
        return size_bytes
    most = max(_LEAST_BYTES, 1 << (facts.memory_available_bytes // 4).bit_length() - 1)
    return min(size_bytes, most, 1 << 30)
