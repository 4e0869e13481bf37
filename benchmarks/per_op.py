"""Shares of operators by the runtime's profiler against those of each operator as a model of its own.

`python -m benchmarks.per_op MODEL.tflite...` measures each model both ways, with each runtime, and prints by how much the
shares differ: half the sum of the differences is the part of a run that the two would give to other operators.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

EDGEPROF = str(Path(sys.executable).with_name("edgeprof"))
RUNTIMES = ("litert", "tflite-runtime")


def main() -> None:
    print("model, runtime: part of a run given to other operators; the heaviest operator by profiler | by itself")
    for name in sys.argv[1:]:
        for runtime in RUNTIMES:
            print(f"{Path(name).name}, {runtime}: {compared(name, runtime)}")


def compared(model: str, runtime: str) -> str:
    """Return how far the two ways agree on a model."""
    profiler, alone = (shares(model, runtime, how) for how in ("profiler", "submodels"))
    # Nodes of a kernel that stands for several are known to one of the two only.
    both = [node for node in profiler if node in alone]
    moved = sum(abs(profiler[node] - alone[node]) for node in both) / 2
    first = max(both, key=lambda node: profiler[node])
    second = max(both, key=lambda node: alone[node])
    heaviest = f"node {first} {profiler[first]:.1%} | node {second} {alone[second]:.1%}"
    return f"{moved:.1%} over {len(both)} operators; {heaviest}"


def shares(model: str, runtime: str, how: str) -> dict[int, float]:
    """Return each operator's part of what all known operators take."""
    with tempfile.TemporaryDirectory() as folder:
        cache = os.environ.get("EDGEPROF_CACHE_DIR") or str(user_cache_path("edgeprof"))
        # A board of its own: nobody else holds it.
        own = {"HOME": folder, "EDGEPROF_CACHE_DIR": cache, "EDGEPROF_STORE": f"{folder}/results.db"}
        env = {**os.environ, **own}
        command = [EDGEPROF, "profile", model, "--runtime", runtime, "--per-op-by", how, "--launches", "4", "--json"]
        done = subprocess.run([*command, "--no-energy"], env=env, capture_output=True, check=True)
    ops = json.loads(done.stdout)["items"][0]["ops"]
    found = {op["node"]: op["share_ratio"] for op in ops if op["kind"] == "operator" and op["share_ratio"] is not None}
    whole = sum(found.values())
    return {node: share / whole for node, share in found.items()}


if __name__ == "__main__":
    main()
