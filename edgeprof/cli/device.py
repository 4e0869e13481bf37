"""`edgeprof device`: the user's own boards."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeprof.cli.options import Home, Json, Runtime, RuntimeLib, Wheels, complete_device, complete_target

app = typer.Typer(help="Your boards: add, list, show, probe, set up, restore, remove.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call the board.", autocompletion=complete_device)]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you will call it.")],
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="ssh://user@host[:port], adb:SERIAL, serial://[user@]/dev/ttyUSB0[?baud=115200], socket://, "
            "rfc2217://[user@]host:port; tiny+serial:// and so on for a firmware of MLPerf Tiny; labgrid://PLACE.",
        ),
    ],
    target: Annotated[
        str | None, typer.Option("--target", help="The kind of board.", autocompletion=complete_target)
    ] = None,
    host_key: Annotated[
        str | None, typer.Option("--host-key", help="SHA256:…, accepted without a question (for CI).")
    ] = None,
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", help="The private key to log in with, a file.")
    ] = None,
    home: Home = None,
    runtime: Runtime = None,
    runtime_lib: RuntimeLib = None,
    notes: Annotated[str | None, typer.Option("--notes", help="Whatever you want to remember.")] = None,
) -> None:
    """Add a board; over SSH its host key is shown and confirmed.

    A password for a serial console is asked for when it is needed, or taken from EDGEPROF_SERIAL_PASSWORD.

    Examples:
    edgeprof device add pi5 ssh://pi@192.0.2.10 --target raspberry-pi-5

    edgeprof device add bench serial://pi@/dev/ttyUSB0?baud=115200

    edgeprof device add nucleo tiny+serial:///dev/ttyACM0

    edgeprof device add any-pi5 'labgrid://?board=pi5'
    """
    from edgeprof.devices import Device, add_device, check_device
    from edgeprof.inventory import borrow
    from edgeprof.remote import parse_library
    from edgeprof.tiny import is_tiny, parse_tiny
    from edgeprof.transport import absence, offered_key

    key_file = None if identity is None else str(identity.expanduser().absolute())
    if runtime_lib:
        parse_library(runtime_lib)
    device = Device(name, url, target, host_key, key_file, runtime, home, notes, runtime_lib)
    check_device(device)
    if is_tiny(url):
        missing = absence(parse_tiny(url).line.url)
        add_device(device)
        _added(name, "probe", missing)
        return
    lease = borrow(device, lambda text: typer.echo(text, err=True))
    try:
        key = offered_key(lease.device.url)
        if key and not key.known and host_key is None:
            _confirm(lease.device.url, key.type, key.sha256)
        if key:
            key.trust(host_key)
        missing = absence(lease.device.url)
    finally:
        lease.end()
    add_device(device)
    _added(name, "setup", missing)


def _added(name: str, following: str, missing: str | None) -> None:
    if missing:
        typer.echo(f"note: {missing}", err=True)
    typer.echo(f"added {name}; next: edgeprof device {following} {name}")


def _confirm(url: str, kind: str, sha256: str) -> None:
    from edgeprof.errors import HostKeyError

    text = f"{url} shows a {kind} key that is not known yet:\n  {sha256}"
    if not sys.stdin.isatty():
        hint = (
            "compare it with the board's own: `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` there; then `--host-key {}`"
        )
        raise HostKeyError(text, hint.format(sha256))
    typer.echo(text, err=True)
    typer.confirm("Is this your board?", abort=True, err=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List your boards."""
    from edgeprof.devices import all_devices
    from edgeprof.report.boards import print_devices

    print_devices(all_devices(), as_json=as_json)


@app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """Show one board as it is written down."""
    from edgeprof.devices import find_device
    from edgeprof.report.boards import print_devices

    print_devices([find_device(name)], as_json=as_json)


@app.command("probe")
def probe(name: Name, as_json: Json = False) -> None:
    """Ask the board what it is, and say where it differs from its target, or from the one that it looks like."""
    from edgeprof.boards import differences, parse_facts
    from edgeprof.cli.terminal import Terminal
    from edgeprof.devices import find_device
    from edgeprof.remote import probe_board
    from edgeprof.report.boards import print_board, print_firmware
    from edgeprof.targets import load_target, match
    from edgeprof.tiny import is_tiny, probe_tiny

    device = find_device(name)
    if is_tiny(device.url):
        with Terminal() as terminal:
            firmware, clock_us = probe_tiny(device.url, lambda text: terminal.say(name, text))
        print_firmware(device, firmware, clock_us, as_json=as_json)
        return
    with Terminal() as terminal:
        raw = probe_board(device, lambda text: terminal.say(name, text))
    facts = parse_facts(raw)
    target = load_target(device.target) if device.target else match(facts.userland(), facts.compatible, facts.model)
    print_board(device, facts, differences(facts, target) if target else (), raw, target, as_json=as_json)


@app.command("setup")
def setup(
    name: Name,
    runtime: Runtime = None,
    runtime_lib: RuntimeLib = None,
    wheels: Wheels = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Push also what takes minutes over a serial line.")] = False,
    as_json: Json = False,
) -> None:
    """Push agent and runtime, and try them out; done again, it pushes nothing.

    The board needs no internet, no pip, no compiler and no root.
    """
    from edgeprof.cli.terminal import Terminal
    from edgeprof.devices import find_device
    from edgeprof.remote import SetupOptions, connect_board, parse_library
    from edgeprof.remote.selftest import self_test
    from edgeprof.report.boards import print_setup

    device = find_device(name)
    library = parse_library(runtime_lib) if runtime_lib else None
    with Terminal() as terminal:
        agree = lambda text: yes or terminal.asked(f"{name}: pushing {text}. Go on?")  # noqa: E731
        options = SetupOptions(runtime=runtime, wheels=tuple(wheels or ()), library=library, agree=agree)
        sent = lambda done, total: terminal.progress(name, "pushing", done, total)  # noqa: E731
        with connect_board(device, options, lambda text: terminal.say(name, text), sent) as board:
            result = self_test(board)
    print_setup(device, result, as_json=as_json)


@app.command("restore")
def restore(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Also while a run holds them; and forget what cannot be set back.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set clocks and power mode back, where a run that is gone has left them changed.

    A board does so by itself half a minute after its host fell silent: this is for one that could not, because it
    started anew, or because its watchdog was killed.

    Examples:
    edgeprof device restore pi5
    """
    from edgeprof.cli.terminal import Terminal
    from edgeprof.devices import find_device
    from edgeprof.remote import restore_clocks
    from edgeprof.report.boards import print_restored

    with Terminal() as terminal:
        found = restore_clocks(find_device(name), lambda text: terminal.say(name, text), force=force)
    print_restored(name, found, as_json=as_json)
    if found.failed:
        raise typer.Exit(1)


@app.command("remove")
def remove(name: Name) -> None:
    """Forget a board; nothing on it is touched."""
    from edgeprof.devices import remove_device

    typer.echo(f"removed {remove_device(name).name}")
