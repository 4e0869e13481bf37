"""All devices of a profile at once: a thread each, for a host does little but wait for its boards."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

from edgeprof.devices import LOCAL, Device
from edgeprof.errors import EdgeprofError
from edgeprof.profile.outcome import Failure, Outcome, Watch
from edgeprof.profile.request import ProfileRequest, check
from edgeprof.profile.session import Session, Setting
from edgeprof.remote import Stopped
from edgeprof.stats import verdicts
from edgeprof.store import Store

# After Ctrl-C: as long as a board that idles for an energy figure, or a download, may take to notice.
_PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Job:
    """A request on one device."""

    request: ProfileRequest
    device: Device


def profile(request: ProfileRequest, devices: Sequence[Device], store: Store, watch: Watch) -> Outcome:
    """Measure every cell on every device, all devices at once.

    Every finished launch is in `store` before the next begins. A device that fails leaves the others alone;
    on Ctrl-C what was finished stays stored and its run reads `interrupted`.

    Raises:
        UsageError: The request holds what no board can do.
    """
    check(request)
    parts = measure([Job(request, device) for device in devices], store, watch)
    runs = [run for part in parts for run in part.runs]
    failures = [failure for part in parts for failure in part.failures]
    return Outcome(tuple(runs), (*request.failures, *failures), verdicts(runs, request.margin_ratio))


def measure(jobs: Sequence[Job], store: Store, watch: Watch) -> list[Outcome]:
    """Do every job, those of different boards at the same time; return an outcome each, in their order.

    Two names of one board are one board: their jobs take turns, for they would spoil each other.

    Raises:
        KeyboardInterrupt: After every board has stopped and what it had finished is stored.
    """
    stop = threading.Event()
    setting = Setting(store, watch, stop)
    done = [_Done(job) for job in jobs]
    by_board: dict[str, list[_Done]] = {}
    for part in done:
        by_board.setdefault(_address(part.job.device), []).append(part)
    threads = [
        threading.Thread(target=_in_turn, args=(parts, setting), name=f"edgeprof-{board}", daemon=True)
        for board, parts in by_board.items()
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        _end(threads, stop)
        raise
    for part in done:
        if part.fault:
            raise part.fault
    return [part.outcome for part in done]


class _Done:
    """A job, and what has become of it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.outcome = Outcome((), ())
        self.fault: BaseException | None = None


def _address(device: Device) -> str:
    """Return what tells boards apart: host and port, or the whole URL where it has none; this machine is one."""
    parts = urlsplit(device.url)
    if parts.scheme == LOCAL.name:
        return LOCAL.url
    return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.hostname else device.url


def _in_turn(parts: Sequence[_Done], setting: Setting) -> None:
    for part in parts:
        try:
            _do(part, setting)
        except Stopped:
            return
        except BaseException as exc:  # noqa: BLE001 - a fault of ours: the main thread raises it
            part.fault = exc
            setting.stop.set()
            return


def _do(part: _Done, setting: Setting) -> None:
    name = part.job.device.name
    session = Session(part.job.request, part.job.device, setting)
    failures: tuple[Failure, ...] = ()
    try:
        session.run()
    except EdgeprofError as exc:
        failures = (Failure(name, "device", exc),)
    part.outcome = Outcome(tuple(session.results()), (*failures, *session.failures))
    setting.watch.ended(name, failures[0].error.message if failures else None)


def _end(threads: Sequence[threading.Thread], stop: threading.Event) -> None:
    """Let every board end what it is at; somebody who presses Ctrl-C again does not want to wait for that."""
    stop.set()
    end = monotonic() + _PATIENCE_S
    with suppress(KeyboardInterrupt):
        for thread in threads:
            thread.join(max(0.0, end - monotonic()))
