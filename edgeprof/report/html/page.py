"""One page about stored runs, whole in itself."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgeprof import units, version
from edgeprof.compare import findings
from edgeprof.errors import UsageError
from edgeprof.metrics import estimates
from edgeprof.pairs import pair_verdicts
from edgeprof.power import METRICS as POWER_METRICS
from edgeprof.records import CLOCK_INSTRUCTIONS, PowerTrace, RunResult
from edgeprof.report.html import accuracy, views
from edgeprof.report.html.bars import stacked
from edgeprof.report.html.distribution import beyond, every_launch, overview
from edgeprof.report.html.embedded import embedded
from edgeprof.report.html.roofline import roofline
from edgeprof.report.html.timeline import launch_panels, over_time, power_panels, sustained_panels
from edgeprof.report.html.views import Figure
from edgeprof.report.quantised import finding_text
from edgeprof.report.roofline import peaks_text
from edgeprof.report.summary import sustained
from edgeprof.report.verdicts import verdict
from edgeprof.resources import write_whole

# A page of 20 runs and all it holds; what charts and tables leave of it is for the samples.
_MOST_BYTES = 490_000
_LEAST_DATA = 40_000
# Rows of all tables of operators together.
_OP_ROWS = 120
_MANY_RUNS = 20
# Confusion matrices of a run, and of all runs together.
_MATRICES, _ALL_MATRICES = 3, 24
# With more launches than this on a page their histograms are coarser.
_MANY_LAUNCHES = 200
_STAGES = ("process_start_ns", "runtime_load_ns", "model_load_ns", "allocate_ns", "first_inference_ns")
_COLD_STAGES = tuple(f"cold_{stage}" for stage in _STAGES)
_COLD = (
    "The same stages in processes whose model and runtime had been taken out of memory before, as the kernel "
    "confirmed. Python itself and the system's libraries were in memory."
)
_ROOFS = (
    "A square is an operator with products, its area the share of a run; blue is bound by arithmetic, orange by "
    "memory; the lines are what the board reaches at most"
)
_MEMORY = ("agent_bytes", "runtime_bytes", "anonymous_growth_bytes", "file_backed_growth_bytes")


@dataclass(frozen=True, slots=True)
class Section:
    """A run's part of the page."""

    name: str
    run: RunResult
    conditions: str
    facts: list[tuple[str, str]]
    metrics: list[views.Metric]
    not_measured: list[tuple[str, str]]
    figures: tuple[Figure, ...]
    ops: views.Ops
    sets: accuracy.Sets


def write_page(runs: Sequence[RunResult], output: Path) -> None:
    """Write the page about `runs` to a file.

    Raises:
        UsageError: The file cannot be written.
    """
    text = page(runs)
    try:
        write_whole(output, text.encode())
    except OSError as exc:
        hint = "name a file in a folder that exists, is yours and has room: `-o report.html`"
        raise UsageError(f"cannot write `{output}`: {exc.strerror}", hint) from exc


def page(runs: Sequence[RunResult]) -> str:
    """Return the HTML page about at least one run."""
    unique = list({run.run_id: run for run in runs}.values())
    loader = PackageLoader("edgeprof.report.html", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("page.html.j2")
    content = _content(unique)
    bare = len(template.render(content, data="", thinned_to=None).encode())
    data, thinned_to = embedded(unique, max(_LEAST_DATA, _MOST_BYTES - bare))
    return template.render(content, data=data, thinned_to=thinned_to)


def _content(runs: Sequence[RunResult]) -> dict[str, object]:
    headings, rows = views.summary(runs)
    named = [(views.name(run, runs), run) for run in runs]
    return {
        "title": _title(runs),
        "version": version(),
        "style": _asset("page.css"),
        "script": _asset("page.js"),
        "headings": headings,
        "rows": list(zip(named, rows, strict=True)),
        "overviews": _overviews(named),
        "findings": [finding_text(found, runs) for found in findings(runs)],
        "verdicts": [verdict(found, runs) for found in pair_verdicts(runs)],
        "sections": [_section(title, run, runs) for title, run in named],
    }


@dataclass(frozen=True, slots=True)
class Asset:
    """A style or script of ours, with the hash by which the page allows it and nothing else."""

    text: Markup
    hash: str


def _asset(file: str) -> Asset:
    text = files("edgeprof.report.html").joinpath(file).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Asset(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own file


def _title(runs: Sequence[RunResult]) -> str:
    models = ", ".join(dict.fromkeys(run.artifact.model for run in runs))
    devices = ", ".join(dict.fromkeys(run.device for run in runs))
    return f"{models} on {devices}"


def _overviews(named: list[tuple[str, RunResult]]) -> list[Figure]:
    """Return a chart for each metric that runs were measured in: counts never stand beside times."""
    found = []
    for clock in dict.fromkeys(run.plan.clock for _, run in named):
        rows = [(title, run, estimates(run)[0]) for title, run in named if run.plan.clock == clock and run.launches]
        if rows:
            title = "Instructions of every launch" if clock == CLOCK_INSTRUCTIONS else "Latency of every launch"
            caption = "A dot is the median of one launch, a fresh process; the bar the interval of the whole at 95 %."
            found.append(Figure(title, overview(rows), caption, "", ()))
    return found


def _section(title: str, run: RunResult, runs: Sequence[RunResult]) -> Section:
    shown, missing = views.metrics(run)
    about = (views.conditions(run), views.facts(run), shown, missing, _figures(run, runs))
    operators = views.ops(run, _OP_ROWS // min(len(runs), _MANY_RUNS))
    return Section(
        title, run, *about, operators, accuracy.sets(run, max(1, min(_MATRICES, _ALL_MATRICES // len(runs))))
    )


def _figures(run: RunResult, runs: Sequence[RunResult]) -> tuple[Figure, ...]:
    if not run.launches:
        return ()
    by_name = {e.name: e for e in estimates(run) if e.statistic == "median"}
    where, metric = views.conditions(run), run.plan.metric
    spoilt = views.spoiling(run, metric)
    tail, fine = beyond(run), sum(len(other.launches) for other in runs) <= _MANY_LAUNCHES
    caption = (
        "Each row is a launch, its line the median; the band behind is the 95 % interval of the median over launches"
    )
    spread = every_launch(run, by_name[metric], fine=fine)
    found = [
        Figure("Every run of every launch", spread, _sentence(caption, tail), where, spoilt),
        Figure("Launch by launch", over_time(launch_panels(run), "Over time"), _seen(run), where, spoilt),
    ]
    if run.sustained:
        chart = over_time(sustained_panels(run), "A long run")
        found.append(
            Figure(
                "A long run",
                chart,
                _sentence(sustained(run, runs).partition("  ")[0]),
                where,
                views.spoiling(run, metric),
            )
        )
    start = stacked([by_name[stage] for stage in _STAGES])
    if start:
        text = "Each part is the median over launches of that stage; files may be in memory already."
        found.append(Figure("Start-up", start, text, where, views.spoiling(run, *_STAGES)))
    cold = stacked([e for e in estimates(run) if e.name in _COLD_STAGES])
    if cold:
        found.append(Figure("Cold start", cold, _COLD, where, views.spoiling(run, "start_ns")))
    roofs = roofline(run)
    if roofs:
        found.append(Figure("Roofline", roofs, _sentence(_ROOFS, peaks_text(run)), where, views.spoiling(run, "ops")))
    if run.power is not None and (panels := power_panels(run.power)):
        found.append(
            Figure("Power", over_time(panels, "Power"), _rail(run.power), where, views.spoiling(run, *POWER_METRICS))
        )
    memory = stacked([by_name[part] for part in _MEMORY], by_name["peak_rss_bytes"])
    if memory:
        text = f"{len(run.memory)} processes of their own, after inference. The parts are what they take after it."
        found.append(Figure("Memory", memory, text, where, views.spoiling(run, "peak_rss_bytes")))
    return tuple(found)


def _rail(trace: PowerTrace) -> str:
    covers = "all that the board takes" if trace.covers == "board" else "a part: nobody said that it is all"
    rate = units.three_digits(units.NS_PER_S / trace.period_ns)
    if trace.averaging_ns is not None:
        mean, bound = units.duration(trace.averaging_ns), units.duration(trace.offset_bound_ns)
        at = "" if trace.supply_uv is None else f" at {units.volts(trace.supply_uv)}"
        return f"{trace.rail}, {covers}{at}; {rate} readings a second, each a mean over {mean}, within {bound} in time."
    cost = units.percent(trace.sampler_ratio)
    return f"{trace.rail}, {covers}; {rate} readings a second, at random instants, which took {cost} of a core."


def _seen(run: RunResult) -> str:
    if any(run.states):
        return "What the board's sensors said while each launch ran; time counts from the first launch."
    return "Temperature, clocks and others' load: not measured (nobody watched, or the board does not say)."


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part) + "."
