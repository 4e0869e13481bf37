"""`edgeprof ab`: one pair, and its verdict."""

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
from edgeprof.cli.needless import refuse_needless
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
    Seed,
    StoreUrl,
    Trust,
    Wheels,
    complete_device,
)

Device = Annotated[str, typer.Option("--device", "-d", help="Where to measure.", autocompletion=complete_device)]
Margin = Annotated[
    float, typer.Option("--margin", metavar="SHARE", help="A change within this share counts as the same.")
]
Energy = Annotated[
    bool,
    typer.Option(
        "--energy",
        help="The energy of an inference too, where the board has a sensor: eight windows of each, 3 minutes more; "
        "--rail or --meter ask for it too.",
    ),
]
Control = Annotated[bool, typer.Option("--control", help="One model against itself: a difference is a false alarm.")]


def ab(
    context: typer.Context,
    models: Annotated[list[Path], typer.Argument(metavar="A [B]", help=".keras, .h5, SavedModel folder or .tflite.")],
    device: Device = "local",
    recipes: Recipes = None,
    calibration: Calibration = None,
    calibration_samples: CalibrationSamples = None,
    calibration_choice: CalibrationChoice = "even",
    seed: Seed = 0,
    threads: Threads = [1],  # noqa: B006 - typer reads defaults and never changes them
    cpus: Cpus = ["all"],  # noqa: B006
    margin: Margin = 0.02,
    control: Control = False,
    launches: Launches = None,
    runs: Runs = None,
    pin_clocks: PinClocks = False,
    pin_mhz: PinMhz = None,
    power_mode: PowerModeName = None,
    timeout_s: Timeout = 120.0,
    reconnect_s: Reconnect = 30.0,
    resume: Resume = False,
    runtime: Runtime = None,
    energy: Energy = False,
    rail: Rail = None,
    meter: Meter = None,
    io: InputOutput = "int8",
    preprocessing: Preprocessing = None,
    wheels: Wheels = None,
    trust_model: Trust = False,
    store: StoreUrl = None,
    as_json: Json = False,
) -> None:
    """Measure two of anything against one another, and say whether one is faster.

    Both run side by side, in short turns of random order, in fresh processes; it ends as soon as the verdict is there.
    Ctrl-C loses no finished pair of launches: the same command with `--resume` goes on with that pair.

    Examples:
    edgeprof ab old.tflite new.tflite -d pi5

    edgeprof ab model.keras -r fp32 -r int8 --calibration calib.npz -d pi5

    edgeprof ab model.tflite -t 1 -t 4 -d pi5

    edgeprof ab old.tflite new.tflite -d pi5 --energy

    edgeprof ab old.tflite new.tflite -d pi5 --pin-mhz 1500
    """
    from edgeprof.boards import wishes
    from edgeprof.compress import CompressRequest
    from edgeprof.devices import find_device
    from edgeprof.power.meters import try_meter
    from edgeprof.power.source import find_source
    from edgeprof.profile import ProfileRequest, check
    from edgeprof.profile.inputs import Inputs
    from edgeprof.records import RunPlan
    from edgeprof.remote import SetupOptions

    found = find_device(device)
    source = find_source(rail, meter, [found])
    request = ProfileRequest(
        (),
        RunPlan(
            runs=runs,
            runtime=runtime or "auto",
            pin_clocks=wishes(pin_clocks, pin_mhz or ()),
            power_mode=power_mode,
            timeout_s=timeout_s,
        ),
        tuple(dict.fromkeys(threads)),
        tuple(dict.fromkeys(cpus)),
        setup=SetupOptions(runtime=runtime, wheels=tuple(wheels or ())),
        reconnect_s=reconnect_s,
        launches=launches,
        verdict_only=True,
        resume=resume,
        control=control,
        margin_ratio=margin,
        energy=energy or rail is not None or meter is not None,
        source=source,
    )
    check(request)
    if source.meter:
        try_meter(source.meter, source.supply_uv)
    compression = CompressRequest(
        Path(),
        tuple(recipes or ()),
        calibration,
        io=io,
        preprocessing=preprocessing,
        trust_model=trust_model,
        seed=seed,
        calibration_samples=calibration_samples,
        calibration_choice=calibration_choice,
    )
    refuse_needless(context, compression, models)
    inputs = Inputs(tuple(models), (), compression)
    measure_and_show(inputs, request, [found], store=store, as_json=as_json)
