"""What a person sees while a profile runs: on standard error, with the time left."""

import sys
import threading
import time
from statistics import median

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from edgeprof import units
from edgeprof.records import CLOCK_INSTRUCTIONS, RunResult

# Whose bar it is while this machine works.
_HOST = ""
# Cells in turns end their first launches at once: before so long, no pace is known.
SOON_S = 0.5
# A log hears so often how far a device is.
EVERY_S = 30.0


def stderr_console() -> Console:
    """Return a console for everything else."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


class Terminal:
    """Shows the steps of a profile; a terminal gets a bar for each device, a log gets lines."""

    def __init__(self) -> None:
        self._console = stderr_console()
        what = Column(no_wrap=True, overflow="ellipsis")
        self._bar = Progress(
            TextColumn("{task.description}", markup=False, table_column=what),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        # When the first launch of those that a device makes now ended, and its number.
        self._series: dict[str, tuple[float, int]] = {}
        self._logged: dict[str, float] = {}
        self._last = ""

    def __enter__(self) -> "Terminal":
        self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def host(self, text: str, share: float | None) -> None:
        """Be told of work on this machine: what it is, and its share done where that is known."""
        if self._console.is_terminal:
            self._show(_HOST, text, (round((share or 0) * 100), None if share is None else 100), "")
        elif text != self._last:
            self._console.print(text, markup=False)
        self._last = text

    def say(self, device: str, text: str) -> None:
        """See `profile.Watch`."""
        if self._console.is_terminal:
            self._show(device, text, (0, None), "")
        else:
            self._console.print(f"{device}: {text}", markup=False)

    def asked(self, question: str) -> bool:
        """Ask the user, where there is one at a terminal; nobody agrees to nothing."""
        if not (self._console.is_terminal and sys.stdin.isatty()):
            return False
        self._bar.stop()
        agreed = typer.confirm(question, err=True)
        self._bar.start()
        return agreed

    def progress(self, device: str, what: str, done: int, total: int) -> None:
        """See `profile.Watch`."""
        share = units.percent(done / total if total else 1)
        self._show(device, what, (done, total), share)
        self._log(device, what, share)

    def launched(self, run: RunResult, done: int, total: int) -> None:
        """See `profile.Watch`; the first launch of a cell gives a provisional figure at once."""
        if len(run.launches or run.summaries) == 1:
            self._provisional(run)
        left = self._left(run.device, done, total)
        self._show(run.device, f"launch {done} of {total}", (done, total), left)
        self._log(run.device, f"launch {done} of {total}", left)

    def ended(self, device: str, reason: str | None) -> None:
        """See `profile.Watch`; a board that fails is named at once, though others go on."""
        if reason is not None:
            self._console.print(f"{device}: stopped: {reason}", markup=False)
        elif not self._console.is_terminal:
            self._console.print(f"{device}: done", markup=False)
        self._show(device, "done" if reason is None else "stopped", (1, 1), "")

    def _left(self, device: str, done: int, total: int) -> str:
        """Return how long the rest takes, by the launches since the series' first; empty without a pace yet."""
        now = time.monotonic()
        began_s, first = self._series.get(device, (now, done))
        if done <= first:  # another cell, or a second measurement, begins
            began_s, first = now, done
        self._series[device] = (began_s, first)
        past_s = now - began_s
        if done == first or past_s < SOON_S:
            return ""
        return f"about {units.clock(past_s / (done - first) * (total - done))} left"

    def _provisional(self, run: RunResult) -> None:
        first_ns = median(run.launches[0].latency_ns) if run.launches else run.summaries[0].median_ns
        shown = units.quantity(run.plan.metric, run.plan.amount(first_ns))
        shown += " instructions" if run.plan.clock == CLOCK_INSTRUCTIONS else ""
        threads = f", {run.plan.threads} threads" if run.plan.threads > 1 else ""
        self._console.print(
            f"{run.device}: {run.artifact.model} {run.artifact.recipe}{threads}: {shown} provisional "
            f"(1 of {run.plan.looks[0]} launches, no interval yet)",
            markup=False,
        )

    def _log(self, device: str, text: str, note: str) -> None:
        """Let a log hear now and then how far a device is: a terminal has its bar."""
        now = time.monotonic()
        if self._console.is_terminal or now - self._logged.setdefault(device, now) < EVERY_S:
            return
        self._logged[device] = now
        self._console.print(f"{device}: {text}{', ' if note else ''}{note}", markup=False)

    def _show(self, who: str, text: str, share: tuple[int, int | None], note: str) -> None:
        """Let the bar of `who` show how much of how much is done; the host's goes when the first device's comes."""
        done, total = share
        named = f"{who}: {text}" if who else text
        with self._lock:
            if who and _HOST in self._tasks:
                self._bar.remove_task(self._tasks.pop(_HOST))
            if who not in self._tasks:
                self._tasks[who] = self._bar.add_task(named, total=total, completed=done, note=note)
            else:
                self._bar.update(self._tasks[who], description=named, total=total, completed=done, note=note)
