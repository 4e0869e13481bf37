"""A board measured by a vendor's program instead of an agent of ours: `benchmark_model`, given by path.

The fallback for boards on which neither agent has a runtime, such as a phone without LiteRT's AAR. The program runs as
a fresh process for every launch; only its result file counts (`benchmark_result`), what it prints does not.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof.devices import Device
from edgeprof.errors import ChildError, DeviceError, MeasurementError, UsageError
from edgeprof.remote.benchmark_result import BenchmarkResult, read_result
from edgeprof.remote.bootstrap import Bytes, Say, SetupOptions
from edgeprof.remote.killed import explained
from edgeprof.remote.oneshot import ask_script, shell_probe, thermal_status
from edgeprof.remote.programs import push_script
from edgeprof.remote.reaching import completed, way
from edgeprof.remote.survey import Survey, survey
from edgeprof.transport import Transport
from edgeprof.transport.files import Completed, pull_bytes, push, run
from edgeprof.units import BYTES_PER_MB

TOOL = "benchmark_model"
_SLACK_S = 15.0
_TIMED_OUT = (124, 142)  # GNU and Toybox; BusyBox, whose `timeout` ends with the signal's number
_HELD = 75
_NOT_RUNNABLE = (126, 127)
# The program writes the size with the seven digits of a 32-bit float.
_SIZE_RATIO = 1e-6

# $1 our folder, $2 the result file, $3 the longest in seconds, then the command. The lock is the agent's, held as the
# program's standard input: mksh gives no other descriptor to programs. A process's number is written before it is the
# program. Our own standard input ends when the host is gone, and then the program is ended: closing a channel does not.
_RUN = r"""
lock=$1/lock; result=$2; limit=$3; shift 3
exec 3<&0
true >> "$lock" 2>/dev/null && exec < "$lock" || exit 73
if command -v flock > /dev/null 2>&1; then flock -n 0 || exit 75; fi
rm -f "$result" "$result.pid"
set -- sh -c 'echo $$ > "$0.pid"; exec "$@"' "$result" "$@"
if command -v timeout > /dev/null 2>&1; then set -- timeout "$limit" "$@"; fi
"$@" <&0 &
program=$!
( while read -r _ <&3; do :; done; read -r pid < "$result.pid"; kill -9 "$pid" "$program" ) 2>/dev/null &
watch=$!
wait "$program"
status=$?
kill "$watch" 2>/dev/null
exit "$status"
"""


@dataclass(frozen=True, slots=True)
class VendorRun:
    """One process of the program.

    Attributes:
        model_sha256: Which model, already there.
        model_bytes: How large that is.
        threads: Threads it may use.
        cpus: Cores it may run on, or `None` for all.
        runs: Exactly so many timed runs, or `None` for `least_runs` and `least_s` at least.
        least_runs: See `runs`.
        least_s: See `runs`.
        warmup_runs: Runs before them, at least …
        warmup_s: … and for at least so long.
        timeout_s: Longest that all of it may take.
    """

    model_sha256: str
    model_bytes: int
    threads: int
    cpus: tuple[int, ...] | None
    runs: int | None
    least_runs: int
    least_s: float
    warmup_runs: int
    warmup_s: float
    timeout_s: float


class VendorBoard:
    """A board that has the program. Use as a context manager, or call `close`.

    Attributes:
        sha256: The program's hash.
        found: What the board is.
    """

    def __init__(self, transport: Transport, found: Survey, script: str, program: str, sha256: str) -> None:
        self._transport = transport
        self._script = script
        self._program = program
        self.found = found
        self.sha256 = sha256

    def __enter__(self) -> "VendorBoard":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._transport.close()

    def probe(self) -> dict[str, Any]:
        """Return what the board says of itself; see `Agent.probe`."""
        return shell_probe(self._transport, self._script, self.found.home)

    def thermal_status(self) -> int | None:
        """Return Android's; see `Agent.thermal_status`."""
        return thermal_status(self._transport, self._script)

    def push_model(self, path: Path, sha256: str, sent: Bytes | None = None) -> int:
        """Put a model on the board under its hash; return the bytes sent, 0 if it was there."""
        return push(self._transport, path, self._model(sha256), sent, sha256).bytes_sent

    def launch(self, wanted: VendorRun, index: int) -> BenchmarkResult:
        """Run the program once, in a fresh process, and return what its result file says.

        Raises:
            ChildError: It failed, was killed, or took too long.
            DeviceError: Another host measures there, or the program does not start on the board.
            MeasurementError: It left no result file, or one that cannot be believed.
            LinkLost: The way is gone.
        """
        result = f"{self.found.home}/vendor/{TOOL}.result"
        limit = f"{wanted.timeout_s:.0f}"
        command = ("sh", "-c", _RUN, "sh", self.found.home, result, limit, *self._command(wanted, result))
        try:
            done = run(self._transport, command, wanted.timeout_s + _SLACK_S, stdin=None)
        except TimeoutError as exc:
            raise self._too_long(wanted) from exc
        self._check(done, wanted, result)
        found = read_result(self._file(result), index)
        if abs(found.model_mb * BYTES_PER_MB - wanted.model_bytes) > 1 + _SIZE_RATIO * wanted.model_bytes:
            text = f"the result is about a model of {found.model_mb:g} MB, not of {wanted.model_bytes} bytes"
            raise MeasurementError(f"{TOOL}'s result file contradicts what was run: {text}")
        return found

    def _model(self, sha256: str) -> str:
        return f"{self.found.home}/models/{sha256}.tflite"

    def _command(self, wanted: VendorRun, result: str) -> tuple[str, ...]:
        """Return the program with its flags. Source: LiteRT at 7d88950ea445, tflite/tools/benchmark/README.md."""
        pinned = () if wanted.cpus is None else ("taskset", f"{sum(1 << core for core in wanted.cpus):x}")
        least = (wanted.least_runs, wanted.least_s) if wanted.runs is None else (wanted.runs, 0.0)
        return (
            *pinned,
            self._program,
            f"--graph={self._model(wanted.model_sha256)}",
            f"--num_threads={wanted.threads}",
            f"--num_runs={least[0]}",
            f"--min_secs={least[1]:g}",
            f"--max_secs={wanted.timeout_s:g}",
            f"--warmup_runs={wanted.warmup_runs}",
            f"--warmup_min_secs={wanted.warmup_s:g}",
            f"--result_file_path={result}",
        )

    def _check(self, done: Completed, wanted: VendorRun, result: str) -> None:
        status = done.returncode
        if status == 0:
            return
        words = [
            line for line in (done.stdout + b"\n" + done.stderr).decode(errors="replace").splitlines() if line.strip()
        ]
        last = words[-1].strip() if words else "it printed nothing"
        if status == _HELD:
            raise DeviceError("another host measures on this board", "two measurements at once would spoil each other")
        if status in _NOT_RUNNABLE:
            hint = f"is it built for `{self.found.machine}`? is the folder mounted `noexec`? `--home` names another"
            raise DeviceError(f"{TOOL} does not start on the board: {last}", hint)
        if status in _TIMED_OUT:
            raise self._too_long(wanted)
        name = _signal(status)
        text = f"{TOOL} died of {name}" if name else f"{TOOL} ended with status {status}: {last}"
        error = ChildError(text, None if name else _FAILED, code="child_crashed", signal=name, pid=self._pid(result))
        if name == "SIGKILL":
            raise explained(error, lambda: ask_script(self._transport, self._script, "killed"), wanted.timeout_s)
        raise error

    def _file(self, path: str) -> bytes:
        try:
            return pull_bytes(self._transport, path)
        except DeviceError as exc:
            text = f"{TOOL} ended well and left no result file"
            hint = (
                "it knows no `--result_file_path`: take one of 2025 or newer, or `edgeprof run import` what it prints"
            )
            raise MeasurementError(text, hint) from exc

    def _pid(self, result: str) -> int | None:
        try:
            return int(pull_bytes(self._transport, f"{result}.pid"))
        except (DeviceError, ValueError):
            return None

    def _too_long(self, wanted: VendorRun) -> ChildError:
        text = f"{TOOL} took longer than {wanted.timeout_s:g} s"
        return ChildError(text, "give it more time with `--timeout SECONDS`", code="child_timeout")


def connect_vendor(
    device: Device,
    options: SetupOptions,
    say: Say,
    sent: Bytes | None = None,
    stop: threading.Event | None = None,
) -> VendorBoard:
    """Connect to a device and put `options.benchmark_model` on it.

    Raises:
        UsageError: There is no such program here.
        TransportError: The board cannot be reached.
        DeviceError: It has no room, or no POSIX shell.
    """
    program = options.benchmark_model
    if program is None or not program.is_file():
        raise UsageError(f"there is no {TOOL} at `{program}`", "check the path given to --benchmark-model")
    transport = way(device, say, stop)
    try:
        found = survey(transport, completed(device, options).home, ())
        script, _ = push_script(transport, found, say)
        sha256 = hashlib.sha256(program.read_bytes()).hexdigest()
        there = f"{found.home}/agents/{sha256}.{TOOL}"
        if push(transport, program, there, sent, sha256).bytes_sent:
            _answered(transport, ("chmod", "755", there))
        _answered(transport, ("mkdir", "-p", f"{found.home}/vendor"))
        return VendorBoard(transport, found, script, there, sha256)
    except BaseException:
        transport.close()
        raise


def _answered(transport: Transport, argv: Sequence[str]) -> None:
    done = run(transport, argv, _SLACK_S)
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise DeviceError(f"`{argv[0]}` failed on the board: {words}")


def _signal(status: int) -> str | None:
    """Return the name of the signal that ended a process: a negative status, or a shell's above 128."""
    number = -status if status < 0 else status - 128
    return {6: "SIGABRT", 7: "SIGBUS", 9: "SIGKILL", 11: "SIGSEGV"}.get(number)


_FAILED = f"what it printed last stands above; `{TOOL} --graph=MODEL` on the board prints all"
