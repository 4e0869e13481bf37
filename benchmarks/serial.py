"""What a serial line carries, beside zmodem and base64 through the shell on the same line: `python -m benchmarks.serial`.

The line is two ptys joined by a wire that keeps to 115,200 baud, or to the speed both ends are set to. Each way sends
the same bytes, which do not compress, from a shell's prompt on; ours is then up already, as in a profile. A busy
machine makes slow figures: compare the ways of one run.
"""

import argparse
import base64
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.timing import seconds
from edgeprof.devices import Device
from edgeprof.remote import SetupOptions, connect_board
from edgeprof.remote.selftest import self_test
from edgeprof.transport.files import push_bytes
from edgeprof.transport.serial import SerialTransport
from edgeprof.transport.serialconsole import USUAL
from edgeprof.transport.serialconsole import Console as Prompt
from edgeprof.transport.serialport import open_line
from edgeprof.transport.serialurl import parse_address
from tests.contract.transport.uart import SHELL, Console, Uart

BAUD, FAST = 115_200, 921_600
BYTES_PER_S = BAUD / 10
TEST_INPUT_BYTES = 27_648

Way = Callable[[Prompt, str, Path, bytes], float | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=200_000, help="what each way sends")
    parser.add_argument("--no-bootstrap", action="store_true", help="leave out the three minutes of a bare board")
    args = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["EDGEPROF_CONFIG_DIR"] = name
        data = os.urandom(args.bytes)
        slow_s = ours(home, data, f"?baud={BAUD}&fastest={BAUD}")
        show("edgeprof", args.bytes, slow_s)
        for what, way in (("zmodem (lrzsz)", zmodem), ("base64 through the shell", through_base64)):
            show(what, args.bytes, on_a_prompt(home, data, way))
        test_input(home)
        fast_s = ours(home, data * 5, f"?baud={BAUD}&fastest={FAST}") / 5
        print(f"the same at {FAST:,} baud, agreed on by itself: {slow_s / fast_s:.1f} times quicker; wanted >= 7")
        if not args.no_bootstrap:
            bare_board(home)


def show(what: str, count: int, seconds: float | None) -> None:
    figure = (
        "not measured: not installed"
        if seconds is None
        else f"{seconds:.1f} s, {count / BYTES_PER_S / seconds:.1%} of the line"
    )
    print(f"{count:,} bytes by {what}: {figure}")


def ours(home: Path, data: bytes, query: str) -> float:
    uart = Uart(by_mode=True)
    console = Console(uart, ["sh", "-c", f"stty {BAUD}; exec {' '.join(SHELL)}"], home)
    try:
        with closing(SerialTransport(f"serial://{uart.host}{query}", lambda _: None)) as way:
            return seconds(lambda: push_bytes(way, data, f"{home}/{len(data)}-{time.monotonic_ns()}"))
    finally:
        console.close()
        uart.close()


def test_input(home: Path) -> None:
    took = ours(home, os.urandom(TEST_INPUT_BYTES), f"?baud={BAUD}&fastest={BAUD}")
    print(f"{TEST_INPUT_BYTES:,} bytes of test input, which do not compress: {took:.2f} s; wanted <= 2.6")


def on_a_prompt(home: Path, data: bytes, way: Way) -> float | None:
    uart = Uart(BAUD)
    console = Console(uart, SHELL, home)
    line = open_line(parse_address(f"serial://{uart.host}?baud={BAUD}"))
    prompt = Prompt(line, USUAL)
    try:
        prompt.type("exec env PS1='$ ' sh\r")
        prompt.listen()
        return way(prompt, uart.host, home, data)
    finally:
        line.close()
        console.close()
        uart.close()


def zmodem(prompt: Prompt, port: str, home: Path, data: bytes) -> float | None:
    if shutil.which("sz") is None:
        return None
    source = home / "zmodem.bin"
    source.write_bytes(data)
    there = home / "there"
    there.mkdir()

    def send() -> None:
        prompt.type(f"cd {there} && rz -b -q -y\r")
        prompt.hear(1)
        with Path(port).open("r+b", buffering=0) as line:
            subprocess.run(
                ["sz", "-b", "-q", str(source)], stdin=line, stdout=line, stderr=subprocess.DEVNULL, check=True
            )

    took = seconds(send)
    assert (there / source.name).read_bytes() == data
    return took


def through_base64(prompt: Prompt, _port: str, home: Path, data: bytes) -> float:
    text, there = base64.encodebytes(data), home / "decoded"

    def send() -> None:
        prompt.type(f"stty -echo; base64 -d > {there}; sha256sum < {there}\r")
        prompt.hear(1)
        prompt.send(text + b"\x04")
        digest = re.compile(hashlib.sha256(data).hexdigest())
        assert prompt.await_text(digest, 300)

    return seconds(send)


def bare_board(home: Path) -> None:
    """Set up a board that has nothing of ours, over a line that stays at 115,200 baud."""
    bare = home / "bare"
    bare.mkdir()
    uart = Uart(BAUD)
    console = Console(uart, SHELL, bare)
    device = Device("bench", f"serial://{uart.host}?baud={BAUD}&fastest={BAUD}")
    connect_packed()

    def set_up() -> None:
        with connect_board(
            device, SetupOptions(runtime="litert", agree=lambda _: True), lambda text: print(f"  {text}")
        ) as board:
            result = self_test(board)
            print(f"  {result.pushed_bytes / 1e6:.1f} MB pushed, {result.runtime.name} {result.runtime.version} runs")

    try:
        took = seconds(set_up)
        print(
            f"a bare board from its prompt to a model that ran, litert, {os.uname().machine}: {took / 60:.1f} min; wanted <= 4"
        )
    finally:
        console.close()
        uart.close()


def connect_packed() -> None:
    """Have the runtime downloaded and packed before the clock starts."""
    with connect_board(Device("local", "local:"), SetupOptions(runtime="litert"), lambda _: None):
        pass


if __name__ == "__main__":
    main()
