"""The tree of commands."""

from typing import Annotated

import typer

from edgeprof.cli import (
    ab,
    baseline,
    compare,
    compress,
    device,
    doctor,
    inspect,
    lab,
    profile,
    report,
    run,
    serve,
    target,
    tiny,
    validate,
    verify,
)

app = typer.Typer(
    help="What a Keras model costs on a board: latency, memory and accuracy, measured and comparable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: edgeprof profile model.keras -d local --recipe fp32 --recipe int8 --calibration calib.npz",
)


def _version(wanted: bool) -> None:
    if wanted:
        from edgeprof import version

        typer.echo(f"edgeprof {version()}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from edgeprof.cli.project import defaults

    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: defaults(context.invoked_subcommand)}


app.command("profile")(profile.profile)
app.command("ab")(ab.ab)
app.command("compare")(compare.compare)
app.command("validate")(validate.validate)
app.command("report")(report.report)
app.command("serve")(serve.serve)
app.command("verify")(verify.verify)
app.command("inspect")(inspect.inspect)
app.command("compress")(compress.compress)
app.command("doctor")(doctor.doctor)
app.add_typer(baseline.app, name="baseline")
app.add_typer(device.app, name="device")
app.add_typer(target.app, name="target")
app.add_typer(run.app, name="run")
app.add_typer(lab.app, name="lab")
app.add_typer(tiny.app, name="tiny")
