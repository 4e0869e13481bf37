"""What became of a process that was killed on a phone: who says so, or that nobody does.

A process number comes again, so a line of a log counts only if it names the number and was written while the process
lived. Nothing is inferred: low memory beside a SIGKILL is told, and is no cause.

Source: AOSP system/memory/lmkd, lmkd.cpp, `kill_one_process` ("Kill '%s' (%d), uid %d, oom_score_adj …"); Linux v4.9,
drivers/staging/android/lowmemorykiller.c ("Killing '%s' (%d) (tgid %d), adj …"); Linux v6.1, mm/oom_kill.c,
`__oom_kill_process` ("%s: Killed process %d (%s) total-vm: …"), and before v5.4 "Kill process".
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeprof.errors import ChildError, DeviceError, TransportError
from edgeprof.remote.said import Said, real
from edgeprof.remote.wire import Progress, Wire
from edgeprof.units import BYTES_PER_KIB, size

# Logs are written a little after a kill, and clocks are read a little after that.
_SLACK_S = 3.0
_BY = {
    re.compile(r"lowmemorykiller\s*: Kill '[^']*' \((\d+)\)"): "Android's low-memory killer (lmkd)",
    re.compile(r"lowmemorykiller\s*: Killing '[^']*' \((\d+)\)"): "the kernel's low-memory killer",
    re.compile(r"[Oo]ut of memory: Kill(?:ed)? process (\d+) "): "the kernel, for want of memory",
}
_EPOCH = re.compile(r"\s*(\d{9,}\.\d+)\s")
_SINCE_BOOT = re.compile(r"(?:<\d+>)?\[\s*(\d+\.\d+)\]")
_HINT = "the model does not fit into the phone's free memory: close apps there, or compress it"
_UNKNOWN_HINT = "nothing is known of why: run it again; `adb logcat` may tell more while it runs"


@dataclass(frozen=True, slots=True)
class Kill:
    """A line of a log that says which process was ended for want of memory.

    Attributes:
        pid: That process.
        by: Who ended it.
        line: What it says, without its stamps.
        age_s: How long before now, or `None` where the line does not say when.
    """

    pid: int
    by: str
    line: str
    age_s: float | None


class WitnessedWire(Wire):
    """A wire whose children's deaths by SIGKILL are looked up in the phone's logs."""

    def __init__(self, wire: Wire, ask: Callable[[], Said]) -> None:
        self._wire = wire
        self._ask = ask
        self._opened: dict[object, float] = {}

    def call(
        self, method: str, params: Mapping[str, object], timeout_s: float, progress: Progress | None = None
    ) -> dict[str, Any]:
        """See `Wire`; the error of a process that was killed says by whom, as far as the phone does."""
        asked = time.monotonic()
        try:
            result = self._wire.call(method, params, timeout_s, progress)
        except ChildError as exc:
            if exc.signal != "SIGKILL" or exc.code != "child_crashed":
                raise
            since = self._opened.get(params.get("child"), asked)
            raise explained(exc, self._ask, time.monotonic() - since) from exc
        if method == "open":
            self._opened[result["child"]] = asked
        return result

    def close(self) -> None:
        """See `Wire`."""
        self._wire.close()


def explained(error: ChildError, ask: Callable[[], Said], lived_s: float) -> ChildError:
    """Return the error of a killed process with what the phone's logs say of it.

    Args:
        error: As the agent told it.
        ask: What `agent.sh killed` answers.
        lived_s: No longer ago did the process begin.
    """
    try:
        said = ask()
    except (DeviceError, TransportError):
        return _unknown(error, "the phone could not be asked")
    kills = [kill for kill in read_kills(said) if kill.age_s is not None and kill.age_s <= lived_s + _SLACK_S]
    mine = next((kill for kill in kills if kill.pid == error.pid), None)
    if mine is not None:
        text = f"{error.message}: {mine.by} ended it (`{mine.line}`)"
        return ChildError(text, _HINT, code="child_out_of_memory", signal=error.signal, pid=error.pid)
    return _unknown(error, _circumstances(dict(said), said, kills))


def read_kills(said: Said) -> list[Kill]:
    """Return the kills that `agent.sh killed` found, each with its age by the phone's own clocks."""
    one = dict(said)
    clocks = ((_EPOCH, real(one, "now_unix_s")), (_SINCE_BOOT, real(one, "uptime_s")))
    found = []
    for key, line in said:
        if key not in {"log", "dmesg"}:
            continue
        age_s = next((now - float(at[1]) for stamp, now in clocks if now and (at := stamp.match(line))), None)
        matches = [(words.search(line), by) for words, by in _BY.items()]
        found += [Kill(int(match[1]), by, line[match.start() :].strip(), age_s) for match, by in matches if match]
    return found


def _circumstances(one: Mapping[str, str], said: Said, kills: Sequence[Kill]) -> str:
    logs = [value for key, value in said if key == "log_read"]
    parts = [f"{' and '.join(logs)} do{'es' if len(logs) == 1 else ''} not name it" if logs else "no log can be read"]
    others = len({kill.pid for kill in kills})
    if others:
        parts.append(f"{others} other process{'es were' if others > 1 else ' was'} ended for want of memory meanwhile")
    available, total = (real(one, f"memory_{what}_kib") for what in ("available", "total"))
    if available is not None and total is not None:
        parts.append(f"{size(available * BYTES_PER_KIB)} of {size(total * BYTES_PER_KIB)} are free now")
    return ", ".join(parts)


def _unknown(error: ChildError, seen: str) -> ChildError:
    text = f"{error.message}: it was killed, cause not known ({seen})"
    return ChildError(text, _UNKNOWN_HINT, code=error.code, signal=error.signal, pid=error.pid)
