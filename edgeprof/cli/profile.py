"""`edgeprof profile`: the command that measures."""

from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.measuring import (
    Cpus,
    Launches,
    Meter,
    Rail,
    Reconnect,
    Resume,
    Runs,
    Threads,
    Timeout,
    measure_and_show,
)
from edgeprof.cli.needless import from_file, refuse_needless
from edgeprof.cli.options import (
    Calibration,
    CalibrationChoice,
    CalibrationSamples,
    InputOutput,
    Json,
    PinClocks,
    PinMhz,
    PowerModeName,
    Preprocessing,
    Recipes,
    Runtime,
    RuntimeLib,
    Seed,
    StoreUrl,
    Train,
    Trust,
    Wheels,
    complete_corruption,
    complete_device,
    complete_metric,
)
from edgeprof.errors import UsageError

Devices = Annotated[
    list[str],
    typer.Option(
        "--device", "-d", metavar="NAME", help="Where to measure. Repeat for several.", autocompletion=complete_device
    ),
]
Evaluations = Annotated[
    list[str] | None,
    typer.Option(
        "--eval",
        metavar="[NAME=]FILE",
        help="Samples, .npz with x and y: accuracy, on the device; without y agreement. Repeat for several, named.",
    ),
]
Corruptions = Annotated[
    list[str] | None,
    typer.Option(
        "--corrupt",
        metavar="NAME[:1-5]",
        help="The first set of images spoilt as another set: noise, blur, brightness, contrast, rotation, translation, "
        "jpeg, or all. Repeat for several.",
        autocompletion=complete_corruption,
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="top1, top5, f1, auc, mae, mse, iou, or your function: file.py:name. Repeat for several.",
        show_default="what goes with the labels",
        autocompletion=complete_metric,
    ),
]
Precision = Annotated[
    float,
    typer.Option(
        "--precision", metavar="SHARE", help="Without --launches: go on, to 32 at most, until intervals are so narrow."
    ),
]
Rate = Annotated[
    float | None,
    typer.Option("--rate", metavar="HZ", help="So many runs a second, each timed from when it was due; not saturated."),
]
Sustained = Annotated[
    float | None,
    typer.Option("--sustained", metavar="MINUTES", help="Then run so long on end: latency and heat over time."),
]
MaxTemp = Annotated[
    float | None,
    typer.Option(
        "--max-temp", metavar="°C", min=0, max=150, help="Begin each launch only when the board is no hotter."
    ),
]
Idle = Annotated[bool, typer.Option("--idle", help="Begin each launch only when others leave the board alone.")]
Wait = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", help="Longest that --max-temp and --idle wait a launch."),
]
PerOp = Annotated[
    bool,
    typer.Option("--per-op", help="Time by operator too, in a process of its own under the runtime's profiler."),
]
PerOpBy = Annotated[
    str | None,
    typer.Option(
        "--per-op-by",
        metavar="HOW",
        help="profiler: the runtime's. submodels: each operator as a model of its own. Implies --per-op.",
        show_default="the profiler, else submodels",
        autocompletion=lambda: ["auto", "profiler", "submodels"],
    ),
]
Cold = Annotated[
    bool,
    typer.Option("--cold", help="Cold starts too: five processes whose files were taken out of memory first."),
]
NoEnergy = Annotated[
    bool,
    typer.Option("--no-energy", help="Leave power and energy out: 21 s less a cell, where the board has a sensor."),
]
EnergyAnyway = Annotated[bool, typer.Option("--energy", hidden=True)]  # as it is without it
BenchmarkModel = Annotated[
    Path | None,
    typer.Option(
        "--benchmark-model",
        metavar="PATH",
        help="Where our own agent cannot run (a phone without LiteRT's AAR): this program, built for the board.",
    ),
]


def profile(
    context: typer.Context,
    models: Annotated[list[Path], typer.Argument(metavar="MODEL", help=".keras, .h5, SavedModel folder or .tflite.")],
    devices: Devices = ["local"],  # noqa: B006 - typer reads defaults and never changes them
    recipes: Recipes = None,
    calibration: Calibration = None,
    calibration_samples: CalibrationSamples = None,
    calibration_choice: CalibrationChoice = "even",
    seed: Seed = 0,
    train: Train = None,
    evaluations: Evaluations = None,
    corruptions: Corruptions = None,
    metrics: Metrics = None,
    threads: Threads = [1],  # noqa: B006
    cpus: Cpus = ["all"],  # noqa: B006
    launches: Launches = None,
    precision: Precision = 0.05,
    runs: Runs = None,
    rate: Rate = None,
    sustained: Sustained = None,
    max_temp: MaxTemp = None,
    idle: Idle = False,
    wait_s: Wait = 300.0,
    per_op: PerOp = False,
    per_op_by: PerOpBy = None,
    cold: Cold = False,
    no_energy: NoEnergy = False,
    _energy: EnergyAnyway = True,
    rail: Rail = None,
    meter: Meter = None,
    pin_clocks: PinClocks = False,
    pin_mhz: PinMhz = None,
    power_mode: PowerModeName = None,
    timeout_s: Timeout = 120.0,
    reconnect_s: Reconnect = 30.0,
    resume: Resume = False,
    runtime: Runtime = None,
    runtime_lib: RuntimeLib = None,
    io: InputOutput = "int8",
    preprocessing: Preprocessing = None,
    wheels: Wheels = None,
    benchmark_model: BenchmarkModel = None,
    trust_model: Trust = False,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Measure models on devices: latency, start-up, memory, power and energy, accuracy.

    Devices are measured at once. Every finished launch is stored at once; Ctrl-C loses none, and the same command
    with `--resume` goes on.

    Examples:
    edgeprof profile model.tflite -d pi5 --threads 1 --threads 4

    edgeprof profile model.keras -d pi5 -r fp32 -r int8 --calibration calib.npz --eval test.npz

    edgeprof profile model.tflite -d pi5 --meter bench-meter.toml

    edgeprof profile model.tflite -d pi5 --pin-mhz 1500

    edgeprof profile model.tflite -d orin --power-mode 15W --pin-clocks

    edgeprof profile model.keras --eval clean=test.npz --eval night=night.npz --corrupt noise --corrupt blur:5
    """
    from edgeprof.accuracy import named_sets
    from edgeprof.boards import wishes
    from edgeprof.compress import CompressRequest
    from edgeprof.devices import find_device
    from edgeprof.power.meters import try_meter
    from edgeprof.power.source import find_source
    from edgeprof.profile import ProfileRequest, check
    from edgeprof.profile.inputs import Inputs
    from edgeprof.records import RunPlan
    from edgeprof.remote import SetupOptions, parse_library

    found = [find_device(name) for name in dict.fromkeys(devices)]
    if all(model.suffix == ".tflite" for model in models) and from_file(context, "recipes"):
        recipes = None  # a project's recipes are for its Keras models
    typed = [name for name, value in (("rail", rail), ("meter", meter)) if value and not from_file(context, name)]
    if no_energy and typed:
        raise UsageError(f"`--no-energy` leaves out what `--{typed[0]}` is for", "leave one of the two out")
    source = find_source(rail, meter, found)
    long_s = None if sustained is None else 60 * sustained
    plan = RunPlan(
        precision_ratio=precision,
        runs=runs,
        rate_hz=rate,
        sustained_s=long_s,
        max_temp_mc=None if max_temp is None else round(1000 * max_temp),
        idle=idle,
        gate_s=wait_s,
        runtime=runtime or "auto",
        pin_clocks=wishes(pin_clocks, pin_mhz or ()),
        power_mode=power_mode,
        timeout_s=timeout_s,
    )
    library = parse_library(runtime_lib) if runtime_lib else None
    setup = SetupOptions(runtime=runtime, wheels=tuple(wheels or ()), library=library, benchmark_model=benchmark_model)
    request = ProfileRequest(
        (),
        plan,
        tuple(dict.fromkeys(threads)),
        tuple(dict.fromkeys(cpus)),
        metrics=tuple(dict.fromkeys(metrics or ())),
        setup=setup,
        reconnect_s=reconnect_s,
        launches=launches,
        per_op=per_op or per_op_by is not None,
        per_op_by=per_op_by or "auto",
        cold=cold,
        energy=not no_energy,
        resume=resume,
        source=source,
    )
    check(request)
    if source.meter and not no_energy:
        try_meter(source.meter, source.supply_uv)
    compression = CompressRequest(
        Path(),
        tuple(recipes or ()),
        calibration,
        io=io,
        preprocessing=preprocessing,
        trust_model=trust_model,
        train=train,
        calibration_samples=calibration_samples,
        calibration_choice=calibration_choice,
        seed=seed,
    )
    refuse_needless(context, compression, models)
    inputs = Inputs(tuple(models), tuple(named_sets(evaluations or ())), compression, tuple(corruptions or ()))
    measure_and_show(inputs, request, found, store=store, as_json=as_json)
