"""Who measures a run, and whether they still do: by their process on this host, by a lease on any other."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import sqlalchemy as sa

from edgeprof.errors import StoreError
from edgeprof.store.tables import runs

RUNNING, INTERRUPTED, ABANDONED = "running", "interrupted", "abandoned"
# On a server who measures says so this often, and is gone after six times that in silence.
HEARTBEAT_S = 20.0
LEASE_S = 120.0
# A file is one host's, whose processes can be looked at, and nobody renews a lease there: a copy gets a day of grace.
# So do runs that an older edgeprof began, which knew no lease.
DAY_S = 86_400.0
# Julian day of 1970-01-01 00:00 UTC.
_EPOCH_DAY = 2_440_587.5


def this_process() -> str:
    """Return the owner of what this process measures: `host:pid:start`."""
    return f"{this_host()}:{os.getpid()}:{psutil.Process().create_time():.0f}"


def this_host() -> str:
    """Return what tells the hosts apart whose processes cannot see one another: name, boot and process namespace.

    Two containers may share a name, and a machine's name outlives its processes.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):  # not Linux: the name alone
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8])
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)


def host_of(owner: str) -> str:
    """Return an owner's host by name."""
    return owner.rsplit(":", 2)[0].partition("/")[0]


def clock(dialect: str) -> sa.ColumnElement[float]:
    """Return the database's own clock in seconds since 1970: hosts' clocks differ."""
    if dialect == "sqlite":
        return (sa.func.julianday("now") - _EPOCH_DAY) * DAY_S
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)


def silent_s(dialect: str) -> sa.ColumnElement[float]:
    """Return for how long nobody has renewed a run's lease, in seconds."""
    return clock(dialect) - sa.func.coalesce(runs.c.seen_unix_s, runs.c.created_unix_s + DAY_S)


def status_now(stored: str, owner: str, silent: float, lease_s: float) -> str:
    """Return a run's status: a `running` one whose process is gone was interrupted, or abandoned on another host."""
    host, pid, started = owner.rsplit(":", 2)
    if stored != RUNNING:
        return stored
    if host not in (this_host(), socket.gethostname()):  # the bare name: an older edgeprof wrote it
        return RUNNING if silent < lease_s else ABANDONED
    try:
        alive = abs(psutil.Process(int(pid)).create_time() - float(started)) < 2
    except psutil.Error:
        alive = False
    return RUNNING if alive else INTERRUPTED


class Heartbeat:
    """Renews leases in a thread of its own, from the first `start` on until `stop`."""

    def __init__(self, renew: Callable[[], None]) -> None:
        self._renew = renew
        self._ended = threading.Event()
        self._once = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it has."""
        with self._once:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="edgeprof-lease", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(1)

    def _run(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            with suppress(StoreError):  # the server is away: what is measured says so by itself
                self._renew()
