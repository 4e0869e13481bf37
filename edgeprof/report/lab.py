"""Virtual boards for people."""

from collections.abc import Sequence
from dataclasses import asdict

from edgeprof.lab import Kind, Running
from edgeprof.records import CLOCK_INSTRUCTIONS
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write


def print_running(boards: Sequence[Running], *, as_json: bool) -> None:
    """Print `lab list`."""
    if as_json:
        write(document("lab_boards", [asdict(board) for board in boards]))
        return
    if not boards:
        console().print("no virtual board is up; edgeprof lab up --cpu cortex-a76 starts one", markup=False)
        return
    found = table("board", "kind", "its clock counts", "ssh", "serial console", "state")
    for board in boards:
        port = "" if board.ssh_port is None else f"127.0.0.1:{board.ssh_port}"
        state = f"up, process {board.pid}" if board.alive else f"gone: edgeprof lab down {board.name}"
        texts = (board.name, board.kind, _counts(board.clock), port, board.serial_url, state)
        found.add_row(*(plain(text) for text in texts))
    console().print(found)


def print_kinds(kinds: Sequence[Kind], *, as_json: bool) -> None:
    """Print `lab list --kinds`."""
    if as_json:
        write(document("lab_kinds", [{"name": k.name, "title": k.title, "clock": k.clock} for k in kinds]))
        return
    found = table("kind", "its clock counts", "what it is")
    for kind in kinds:
        found.add_row(*(plain(text) for text in (kind.name, _counts(kind.clock), kind.title)))
    console().print(found)


def print_up(board: Running, *, as_json: bool) -> None:
    """Print `lab up`: what to do next."""
    if as_json:
        print_running([board], as_json=True)
        return
    lines = [f"{board.name} is up: a virtual {board.kind}, whose clock counts {_counts(board.clock)}"]
    if board.ssh_port is None:
        lines.append("it has no network, only a serial console, whose password is `edge`")
    lines.append(f"next: edgeprof profile MODEL -d {board.name}")
    lines.append(f"end it: edgeprof lab down {board.name}")
    for line in lines:
        console().print(plain(line))


def _counts(clock: str) -> str:
    return "instructions, no time" if clock == CLOCK_INSTRUCTIONS else "time"
