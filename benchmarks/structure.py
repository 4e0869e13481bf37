"""What fewer channels save: each model whole and cut, in turns, as rows of docs/compression-structure.md's table.

`python -m benchmarks.structure [MODEL…]`: `mobilenet_v2` is Keras' own, with weights drawn by a seed; anything else is a
`.keras` or `.h5` file. Nothing is fine-tuned: a latency depends on shapes, and no accuracy is looked at. `--device
lab-cortex-a76` counts instructions on a virtual board instead (`edgeprof lab up --cpu cortex-a76`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from benchmarks.compress.ledger import commit
from edgeprof import units

ROOT = Path(__file__).parents[1]
EDGEPROF = str(Path(sys.executable).with_name("edgeprof"))
NAMED = "mobilenet_v2"
TYPES = ("fp32", "int8")
_SEED = 20
_SHAPE, _SAMPLES = (96, 96, 3), 64


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes.

    Attributes:
        share: Of the multiply-accumulates.
        multiple: What is left of each layer is a multiple of this.
        least: Share of each layer's channels that stays at least.
    """

    share: float
    multiple: int
    least: float

    def write(self, folder: Path, kind: str) -> str:
        """Return a recipe's file that cuts and converts to `kind`."""
        path = folder / f"cut-{kind}.toml"
        settings = f"share = {self.share}\nmultiple = {self.multiple}\nleast = {self.least}\n"
        path.write_text(f'conversion = "{kind}"\n\n[[step]]\nkind = "channels"\n{settings}')
        return str(path)


def main(arguments: Sequence[str]) -> None:
    """Print a row for each model and kind of numbers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structure", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=[NAMED], metavar="MODEL")
    parser.add_argument("--calibration", type=Path, help="for int8 of a model of yours: .npz with x")
    parser.add_argument("--device", default="local")
    parser.add_argument("--share", type=float, default=0.5, help="of the multiply-accumulates to go")
    parser.add_argument("--multiple", type=int, default=1, help="what is left of a layer is a multiple of this")
    parser.add_argument("--least", type=float, default=0.1, help="share of a layer's channels that stays at least")
    parser.add_argument("--type", action="append", choices=TYPES, help="this kind of numbers alone")
    parser.add_argument("--launches", type=int, default=16, help="fresh processes of each")
    options = parser.parse_args(arguments)
    print(f"commit {commit()}; whole against cut: file, gzip, MACs, and how much the cut one saves")
    for model in options.models:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            cut = Cut(options.share, options.multiple, options.least)
            made = compressed(model, cut, options.type or TYPES, options.calibration, folder)
            for whole, rest in made:
                print(
                    row(model, whole, rest, against(whole, rest, options.device, options.launches, folder)), flush=True
                )


def compressed(
    model: str, cut: Cut, kinds: Sequence[str], calibration: Path | None, folder: Path
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the artifacts of a model, whole and cut, for each kind of numbers, as `compress --json` tells them."""
    path = _mobilenet_v2(folder) if model == NAMED else model
    if calibration is None:
        calibration = folder / "calibration.npz"
        np.savez(calibration, x=np.random.default_rng(_SEED).random((_SAMPLES, *_SHAPE), np.float32))
    recipes = [name for kind in kinds for name in ("-r", kind, "-r", cut.write(folder, kind))]
    command = [EDGEPROF, "compress", str(path), *recipes, "--calibration", str(calibration), "--json"]
    items = json.loads(_run([*command, "-o", str(folder / "made")]))["items"]
    by_recipe = {item["recipe"]: item for item in items}
    return [(by_recipe[kind], by_recipe[f"cut-{kind}"]) for kind in kinds]


def against(
    whole: dict[str, Any], cut: dict[str, Any], device: str, launches: int, folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the comparison of two artifacts that took turns on a device, and the run of the cut one."""
    own = {"EDGEPROF_STORE": str(folder / "results.db")}
    if device == "local":  # a board of its own: nobody else holds it
        cache = os.environ.get("EDGEPROF_CACHE_DIR") or str(user_cache_path("edgeprof"))
        own |= {"HOME": str(folder), "EDGEPROF_CACHE_DIR": cache}
    command = [EDGEPROF, "ab", whole["path"], cut["path"], "-d", device, "--launches", str(launches), "--json"]
    found = json.loads(_run(command, own))
    return found["comparisons"][0], found["items"][1]


def row(model: str, whole: dict[str, Any], cut: dict[str, Any], turns: tuple[dict[str, Any], dict[str, Any]]) -> str:
    """Return a row of the table."""
    found, run = turns
    sizes = [
        f"{text(whole['static'][name])} → {text(cut['static'][name])}"
        for name, text in (("file_bytes", units.size), ("gzip_bytes", units.size), ("macs", units.count))
    ]
    ratio, low, high = (1 / found[name] for name in ("ratio", "high", "low"))
    times = f"{ratio:.2f} ({low:.2f} … {high:.2f}, {found['confidence']:.0%}, {found['n_launches']} launches)"
    runtime = f"{run['runtime']['name']} {run['runtime']['version']}"
    return f"| {Path(model).stem}, {whole['recipe']} | {' | '.join(sizes)} | {times} | {found['name']}, {runtime}, {run['device']} |"


def _run(command: Sequence[str], more: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env={**os.environ, **(more or {})}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _mobilenet_v2(folder: Path) -> Path:
    path = folder / f"{NAMED}.keras"
    code = (
        f"import keras; keras.utils.set_random_seed({_SEED}); "
        f"keras.applications.MobileNetV2({_SHAPE}, alpha=0.35, weights=None).save({str(path)!r})"
    )
    _run([sys.executable, "-c", code], {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
