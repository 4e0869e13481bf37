"""All devices of a profile at once: a thread each, for a host does little but wait for its boards."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from urllib.parse import urlsplit

from edgeprof.devices import LOCAL, Device
from edgeprof.errors import DeviceError, EdgeprofError, UsageError
from edgeprof.pairs import pair_verdicts
from edgeprof.profile.outcome import Failure, Outcome, Watch
from edgeprof.profile.request import ProfileRequest, check
from edgeprof.profile.resume import Earlier, find_earlier
from edgeprof.profile.running import Setting
from edgeprof.profile.session import Session
from edgeprof.profile.tiny import TinySession
from edgeprof.profile.vendor import VendorSession
from edgeprof.records import RunResult
from edgeprof.remote import Stopped
from edgeprof.store import Store
from edgeprof.tiny import is_tiny

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
    earlier = find_earlier(request, devices, store) if request.resume else None
    taken = earlier.runs if earlier else ()
    if request.resume and not earlier:
        watch.say(devices[0].name, "nothing to go on with: no earlier session measured any of this; measuring all")
    left = {d: len(request.cells()) - sum(run.device == d.name for run in taken) for d in devices}
    jobs = [Job(request, device) for device, cells in left.items() if cells]
    parts = measure(jobs, store, watch, earlier)
    runs = _in_order((*taken, *(run for part in parts for run in part.runs)), devices)
    failures = [failure for part in parts for failure in part.failures]
    taken_ids = tuple(run.run_id for run in taken)
    return Outcome(runs, (*request.failures, *failures), pair_verdicts(runs, request.margin_ratio), taken_ids)


def _in_order(runs: Sequence[RunResult], devices: Sequence[Device]) -> tuple[RunResult, ...]:
    return tuple(run for device in devices for run in runs if run.device == device.name)


def measure(jobs: Sequence[Job], store: Store, watch: Watch, earlier: Earlier | None = None) -> list[Outcome]:
    """Do every job, those of different boards at the same time; return an outcome each, in their order.

    Two names of one board are one board: their jobs take turns, for they would spoil each other.

    Args:
        jobs: What to measure.
        store: Where results go.
        watch: Who is told.
        earlier: A session to go on with: its complete cells are not measured again.

    Raises:
        KeyboardInterrupt: After every board has stopped and what it had finished is stored.
    """
    stop = threading.Event()
    setting = Setting(store, watch, stop, store.new_run_id())
    if earlier:
        setting = replace(setting, session=earlier.session, finished=earlier.cells(), pair=earlier.pair)
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
    device = part.job.device
    own = Session(part.job.request, device, setting)
    session: Session | VendorSession | TinySession = own
    if is_tiny(device.url):
        session = TinySession(part.job.request, device, setting)
    failures: tuple[Failure, ...] = ()
    try:
        try:
            session.run()
        except (DeviceError, UsageError) as exc:
            if part.job.request.setup.benchmark_model is None or own.connected:
                raise
            session = VendorSession(part.job.request, part.job.device, setting, exc)
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
