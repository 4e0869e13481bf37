"""What `clocks.sh` on a board is asked and answers: who may, what it refuses, what it has set back."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.errors import DeviceError, UsageError
from edgeprof.transport import Transport
from edgeprof.transport.files import answered

LEASE_VARIABLE = "EDGEPROF_CLOCKS_LEASE_S"
LIMIT_S = 24 * 3600
ANSWER_S = 60.0
_LEASE_S = 30
_PRIVILEGE = 'if [ "$(id -u)" = 0 ]; then echo root; elif sudo -n true 2>/dev/null; then echo sudo; else echo none; fi'
_PREFIXES = {"root": (), "sudo": ("sudo", "-n")}


@dataclass(frozen=True, slots=True)
class Restored:
    """What setting a board's clocks back came to.

    Attributes:
        why: What ended the hold: `end`, `silence`, `limit`, `signal`, `takeover`, `hand`, or `never`: there was none.
        by: Who had changed them, or `None` where that is over and done.
        now: It was done now, not earlier by the board itself.
        rebooted: The board has started since, so that only its power mode was still as it had been set.
        done: What was set back: a policy with its governor and limits, `mode 2`, `jetson_clocks`.
        failed: What could not be.
    """

    why: str
    by: str | None
    now: bool
    rebooted: bool
    done: tuple[str, ...]
    failed: tuple[str, ...]


def lease_seconds() -> int:
    """Return how long a board waits for a sign of its host before it sets its clocks back.

    Raises:
        UsageError: The environment says something else than a number of seconds.
    """
    text = os.environ.get(LEASE_VARIABLE, str(_LEASE_S))
    if not text.isdigit() or not 2 <= int(text) <= LIMIT_S:
        raise UsageError(f"{LEASE_VARIABLE} `{text}` is no number of seconds", f"from 2 to {LIMIT_S}")
    return int(text)


def prefix(transport: Transport, device: str, url: str, command: str | None = None) -> tuple[str, ...]:
    """Return what makes a command root's, or say what a person could do instead."""
    done = answered(transport, ("sh", "-c", _PRIVILEGE), ANSWER_S, "saying who we are there")
    who = done.stdout.decode(errors="replace").strip()
    if who in _PREFIXES:
        return _PREFIXES[who]
    text = f"`{device}`: this login may not set clocks: it is not root, and `sudo -n` asks for a password"
    by_hand = command or "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    raise DeviceError(text, f"log in as root, allow sudo without a password, or by hand: {_there(url, by_hand)}")


def parse_restored(lines: Sequence[str], *, now: bool) -> Restored:
    """Return what the script said of a restoring, done now or earlier."""
    said = [line.partition("=")[::2] for line in lines]
    one = dict(said)
    return Restored(
        why=one.get("why") or one.get("end") or "unknown",
        by=one.get("owner"),
        now=now,
        rebooted="rebooted" in one,
        done=tuple(value for key, value in said if key == "restored"),
        failed=tuple(value for key, value in said if key == "failed"),
    )


def refusal(what: str, rest: str, device: str) -> DeviceError:
    """Return what `clocks.sh` refused, for people."""
    if what == "mode" and rest.startswith("reboot"):
        hint = "set it there by hand (`sudo nvpmodel -m …`), let the board start anew, and leave out --power-mode"
        return DeviceError(f"`{device}`: this power mode takes a reboot, which edgeprof does not do", hint)
    restore = f"edgeprof device restore {device}"
    texts = {
        "heat": ("heat holds its clocks back already", "let it cool down first"),
        "held": (f"its clocks are held by {rest}", f"wait for that run; if nothing runs: {restore} --force"),
        "stale": ("an earlier run's clocks could not be set back", f"{restore}; `--force` forgets what cannot be"),
        "store": (f"it cannot write {rest}", "is its disk full or read-only?"),
        "watchdog": ("the process that would set clocks back does not start", "does `sh` work there for root?"),
        "policy": (f"its kernel does not take the clocks asked for; now {rest}", "another clock: --pin-mhz"),
        "mode": (f"its power mode did not change: {rest}", "try `sudo nvpmodel -m …` there by hand"),
        "jetson": ("`jetson_clocks` failed", "try `sudo jetson_clocks --show` there by hand"),
        "gone": (f"it stopped holding its clocks {rest}".rstrip(), restore),
    }
    text, hint = texts.get(what, (f"clocks: {what} {rest}", restore))
    return DeviceError(f"`{device}`: {text}", hint)


def _there(url: str, command: str) -> str:
    """Return a command for a person to copy: over SSH where the board is reached so, else for the board's own shell."""
    if not url.startswith("ssh://"):
        return f"{command}  (on the board)"
    host, _, port = url.removeprefix("ssh://").rstrip("/").rpartition(":")
    target = f"-p {port} {host}" if host and port.isdigit() else url.removeprefix("ssh://").rstrip("/")
    return f"ssh -t {target} '{command}'"
