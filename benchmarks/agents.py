"""What the agent in Python adds to a call: its timed loop against the native agent's, on the same library and model.

In each launch a child of either agent is live and they take turns in ABBA blocks. A launch's figure is the ratio of the
fastest twentieths of its two children, the part that other work on the machine left alone; the median is over launches.
Where other work leaves not even that alone, as with long runs on a busy machine, the fastest hundredths beside it tell:
whoever was interrupted finds the caches cold, and an interpreter's loop has more to fetch again than one in C.

python -m benchmarks.agents [LAUNCHES]
"""

import hashlib
import os
import platform
import statistics
import struct
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from edgeprof.devices import Device
from edgeprof.remote import Board, InvokeTimed, OpenRequest, SetupOptions, connect_board

LAUNCHES = 12
BLOCKS = 10
BLOCK_S = 0.1
WANTED = {0.1: 1.015, 1.0: 1.005}  # latency in ms → at most this ratio


def main(launches: int) -> None:
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    print(f"{now}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        boards = []
        for native in (False, True):
            options = SetupOptions(home=f"{folder}/{native}", runtime="litert", native=native)
            boards.append(stack.enter_context(connect_board(Device("here", "local:"), options, print)))
        one_library(Path(folder, "False"), Path(folder, "True"))
        for wanted_ms, most in WANTED.items():
            compare(boards, model(Path(folder), wanted_ms, boards[1]), launches, most)


def one_library(kept: Path, linked: Path) -> None:
    """Make both agents map the same pages of the runtime: two copies of a file differ in speed by where they lie."""
    for library in kept.rglob("*.so*"):
        twin = linked / library.relative_to(kept)
        if twin.exists():
            twin.unlink()
            twin.hardlink_to(library)
            print(f"both map the same {library.name}")


def compare(boards: list[Board], path: Path, launches: int, most: float) -> None:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for board in boards:
        board.push_model(path, sha256)
    seen = [launch(boards, sha256, number) for number in range(launches)]
    print(f"{ratio_text(seen, 0.05)}; wanted <= {most}")
    print(f"  the fastest hundredths: {ratio_text(seen, 0.01)}")


def ratio_text(seen: Sequence[tuple[list[int], list[int]]], share: float) -> str:
    """Return how the agents compare at a quantile of each launch's runs."""
    pairs = [(quantile(python, share), quantile(native, share)) for python, native in seen]
    ratios = sorted(python / native for python, native in pairs)
    typical_ms = statistics.median(native for _, native in pairs) / 1e6
    extra_ns = statistics.median(python - native for python, native in pairs)
    return (
        f"agent in Python / native agent at {typical_ms:.3f} ms: median {statistics.median(ratios):.4f}, "
        f"{ratios[0]:.4f} to {ratios[-1]:.4f}, {len(seen)} launches; {extra_ns:+.0f} ns a call"
    )


def launch(boards: list[Board], sha256: str, number: int) -> tuple[list[int], list[int]]:
    """Return all runs in ns: of the agent in Python, and of the native one."""
    children = [board.agent.open(OpenRequest(board.prepared.package.folder, sha256)).child for board in boards]
    for board, child in zip(boards, children, strict=True):
        board.agent.invoke_for(child, 0.2, 20, 60)
    seen: tuple[list[int], list[int]] = ([], [])
    for block in range(BLOCKS):
        there = (0, 1) if (block + number) % 2 else (1, 0)
        for who in (*there, *reversed(there)):
            done = boards[who].agent.invoke_for(children[who], BLOCK_S, 20, 60)
            seen[who].extend(samples(boards[who], done))
    for board, child in zip(boards, children, strict=True):
        board.agent.close(child, acknowledged=True)
    return seen


def samples(board: Board, done: InvokeTimed) -> tuple[int, ...]:
    data = done.samples or board.pull(done.file, done.sha256)
    return struct.unpack(f"<{len(data) // 8}q", data)


def quantile(values: Sequence[int], share: float) -> int:
    return sorted(values)[int(share * len(values))]


def model(folder: Path, wanted_ms: float, board: Board) -> Path:
    """Make a model whose latency here comes near: of as many operators as it takes."""
    operators = 16
    for _ in range(4):
        path = chain(folder, operators)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        board.push_model(path, sha256)
        child = board.agent.open(OpenRequest(board.prepared.package.folder, sha256)).child
        board.agent.invoke_for(child, 0.2, 20, 60)
        found_ms = quantile(samples(board, board.agent.invoke_for(child, 0.3, 20, 60)), 0.05) / 1e6
        board.agent.close(child, acknowledged=True)
        operators = max(1, round(operators * wanted_ms / found_ms))
    return path


def chain(folder: Path, operators: int) -> Path:
    """Hyperbolic tangents of 64 KiB one after another: all work and no memory, whose place in a process has a speed."""
    import keras
    import tensorflow as tf

    layers = [keras.layers.Activation("tanh") for _ in range(operators)]
    made = keras.Sequential([keras.Input((64, 256)), *layers])
    path = folder / f"chain-{operators}.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(made).convert())
    return path


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LAUNCHES)
