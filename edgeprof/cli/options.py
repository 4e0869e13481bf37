"""Options that several commands share, and their shell completion."""

from pathlib import Path
from typing import Annotated

import typer


def complete_device(incomplete: str) -> list[str]:
    """Return the names of the user's devices that begin so."""
    from edgeprof.devices import all_devices

    return [device.name for device in all_devices() if device.name.startswith(incomplete)]


def complete_target(incomplete: str) -> list[str]:
    """Return the names of targets that begin so."""
    from edgeprof.targets import all_targets

    return [target.name for target in all_targets() if target.name.startswith(incomplete)]


def complete_meter(incomplete: str) -> list[str]:
    """Return kinds of meter that begin so, and TOML files here."""
    folder = Path(incomplete).parent
    found = sorted(str(path) for path in folder.glob("*.toml"))
    return [word for word in ("joulescope", "ppk2:", *found) if word.startswith(incomplete)]


def complete_recipe(incomplete: str) -> list[str]:
    """Return the names of recipes that begin so."""
    from edgeprof.compress import recipe_names

    return [name for name in recipe_names() if name.startswith(incomplete)]


def complete_choice(incomplete: str) -> list[str]:
    """Return the ways to choose calibration samples that begin so."""
    from edgeprof.compress.sampling import CHOICES

    return [choice for choice in CHOICES if choice.startswith(incomplete)]


def complete_metric(incomplete: str) -> list[str]:
    """Return the names of metrics that begin so."""
    from edgeprof.accuracy import metric_names

    return [name for name in metric_names() if name.startswith(incomplete)]


def complete_corruption(incomplete: str) -> list[str]:
    """Return the names of corruptions that begin so."""
    from edgeprof.accuracy import CORRUPTIONS

    return [name for name in (*CORRUPTIONS, "all") if name.startswith(incomplete)]


def complete_status(incomplete: str) -> list[str]:
    """Return what may have become of a run, what begins so."""
    from edgeprof.store import STATUSES

    return [status for status in STATUSES if status.startswith(incomplete)]


def complete_runtime(incomplete: str) -> list[str]:
    """Return the names of runtimes that begin so."""
    return [name for name in ("litert", "tflite-runtime") if name.startswith(incomplete)]


def complete_run(incomplete: str) -> list[tuple[str, str]]:
    """Return the newest runs that begin so, with what they measured."""
    from edgeprof.errors import EdgeprofError
    from edgeprof.store import open_store

    try:
        with open_store(make=False) as store:
            rows = store.list_runs(limit=50)
    except EdgeprofError:  # amid a line that somebody types nothing is to be said
        return []
    found = [row for row in rows if row.run_id.startswith(incomplete)]
    return [(row.run_id, f"{row.model} {row.recipe} on {row.device}") for row in found]


PinClocks = Annotated[
    bool,
    typer.Option(
        "--pin-clocks", help="For the run, governor `performance`: clocks at their highest. Needs root or sudo."
    ),
]
PinMhz = Annotated[
    list[str] | None,
    typer.Option(
        "--pin-mhz",
        metavar="[GROUP=]MHZ",
        help="For the run, a fixed clock that the board can keep up: 1500, or big=1800 little=1200, one option each.",
    ),
]
PowerModeName = Annotated[
    str | None,
    typer.Option("--power-mode", metavar="MODE", help="For the run, a Jetson's power mode: MAXN, 15W, 2."),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON on standard output; everything else goes to standard error."),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FILE|URL",
        help="Where results are kept.",
        envvar="EDGEPROF_STORE",
        show_envvar=True,
    ),
]
Recipes = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe",
        "-r",
        metavar="RECIPE",
        help="fp32, int8, prune80-pqat, …, or a .toml of your own; see docs/compression.md. Repeat for several.",
        autocompletion=complete_recipe,
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE",
        help="Representative data for int8 and its like: .npz, .npy or a folder of images.",
    ),
]
CalibrationSamples = Annotated[
    int | None,
    typer.Option(
        "--calibration-samples", metavar="N", help="How many of them; 200, or all where there are fewer, if left out."
    ),
]
CalibrationChoice = Annotated[
    str,
    typer.Option(
        "--calibration-choice",
        metavar="HOW",
        help="Which of them: even (spaced over the set), first, random (by --seed), or balanced (as many a class).",
        autocompletion=complete_choice,
    ),
]
Train = Annotated[
    Path | None,
    typer.Option(
        "--train", metavar="FILE", help="Data for recipes that fine-tune: .npz with x and y, or a .py with dataset()."
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", help="Of everything random: fine-tuning, a random choice of samples.")
]
InputOutput = Annotated[
    str, typer.Option("--io", metavar="TYPE", help="Inputs and outputs of an int8 model: int8 or float.")
]
Preprocessing = Annotated[
    str | None,
    typer.Option(
        "--preprocess", metavar="HOW", help="How a folder of images becomes inputs, such as 0-1 or imagenet-caffe."
    ),
]
Trust = Annotated[bool, typer.Option("--trust-model", help="Load models with Lambda layers, which run code of theirs.")]
Home = Annotated[
    str | None, typer.Option("--home", metavar="FOLDER", help="Folder on the board, instead of ~/.edgeprof.")
]
Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="litert or tflite-runtime, instead of whichever fits the board.",
        autocompletion=complete_runtime,
    ),
]
RuntimeLib = Annotated[
    str | None,
    typer.Option(
        "--runtime-lib",
        metavar="PATH=VERSION",
        help="LiteRT's library as it lies on the board, instead of one that is pushed: /usr/lib/libLiteRt.so=2.3.0.",
    ),
]
Wheels = Annotated[
    list[Path] | None,
    typer.Option(
        "--wheel",
        metavar="FILE",
        help="A wheel, not to be downloaded; for a phone LiteRT's AAR. Repeat for several.",
    ),
]
