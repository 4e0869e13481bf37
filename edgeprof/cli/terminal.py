"""What a person sees while a profile runs: on standard error, with the time left."""

import time
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from edgeprof import units
from edgeprof.records import CLOCK_INSTRUCTIONS, RunResult


def stderr_console() -> Console:
    """Return a console for everything else."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


class Terminal:
    """Shows the steps of a profile; a terminal gets a bar, a log gets lines."""

    def __init__(self) -> None:
        self._console = stderr_console()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._first_launch: float | None = None
        self._last = ""

    def __enter__(self) -> "Terminal":
        self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def host(self, text: str, share: float | None) -> None:
        """Be told of work on this machine: what it is, and its share done where that is known."""
        if self._console.is_terminal:
            self._show(text, round((share or 0) * 100), None if share is None else 100, "")
        elif text != self._last:
            self._console.print(text, markup=False)
        self._last = text

    def say(self, device: str, text: str) -> None:
        """See `profile.Watch`."""
        if self._console.is_terminal:
            self._show(f"{device}: {text}", 0, None, "")
        else:
            self._console.print(f"{device}: {text}", markup=False)

    def progress(self, device: str, what: str, done: int, total: int) -> None:
        """See `profile.Watch`."""
        self._show(f"{device}: {what}", done, total, units.percent(done / total if total else 1))

    def launched(self, run: RunResult, done: int, total: int) -> None:
        """See `profile.Watch`; the first launch of a cell gives a provisional figure at once."""
        if len(run.launches) == 1:
            self._provisional(run)
        now = time.monotonic()
        if self._first_launch is None:
            self._first_launch = now
        left = (
            "" if done == 1 else f"about {units.clock((now - self._first_launch) / (done - 1) * (total - done))} left"
        )
        self._show(f"{run.device}: launch {done} of {total}", done, total, left)

    def _provisional(self, run: RunResult) -> None:
        shown = units.quantity(run.plan.metric, run.plan.amount(median(run.launches[0].latency_ns)))
        shown += " instructions" if run.plan.clock == CLOCK_INSTRUCTIONS else ""
        threads = f", {run.plan.threads} threads" if run.plan.threads > 1 else ""
        self._console.print(
            f"{run.device}: {run.artifact.model} {run.artifact.recipe}{threads}: {shown} provisional "
            f"(1 of {run.plan.looks[0]} launches, no interval yet)",
            markup=False,
        )

    def _show(self, text: str, done: int, total: int | None, note: str) -> None:
        if self._task is None:
            self._task = self._bar.add_task(text, total=total, completed=done, note=note)
        else:
            self._bar.update(self._task, description=text, total=total, completed=done, note=note)
