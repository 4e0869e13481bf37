"""docs/compression-figures.md, written from what was measured; and the last column of docs/compression.md's table."""

import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.compress.figures import (
    UNREACHED,
    Answer,
    Row,
    Scored,
    Timed,
    answers,
    in_float,
    load_of,
    middle_load,
    rows,
)
from benchmarks.compress.measuring import Bench
from benchmarks.compress.subjects import BASE, FLOAT, Subject
from edgeprof import units
from edgeprof.metrics import estimates
from edgeprof.stats.proportions import Range

NOT = "not measured"
# A file is named on the page, not the folders that it lies in on this machine.
_PATH = re.compile(r"(?<![\w.])/(?:[^/`\s]+/)+")
_HEAD = """# Compression: figures

Written by `make bench-compress`, which goes on where it stopped; do not edit. Every figure comes out of the product's own parts: `compress`, and `profile` on this machine.

- **Drop**: top-1 of the float Keras model less that of the `.tflite`, on the same images, in percentage points with its 95 % interval; below 0 the compressed model is better. Recipes that fine-tune see more of the training data than the float model did, so some are.
- **Corrupted**: top-1 on the same images spoilt at severity 3, and in brackets how many points more were lost there than on the clean ones, with its 95 % interval.
- **Speed**: int8's latency over the recipe's, from turns on one device at once, with its 99 % interval (not widened for the number of recipes). Above 1 it is faster than int8 alone. Recipes take turns eight at a time, int8 among each eight: two latencies below may be of different hours, a ratio never is. Structured pruning is `channels…`, and `distill…`, which begins with the strongest channels.
- **gzip** is the file at level 9: what a transfer takes. **Memory** is what the process grew by: packed weights and arena, the median of three.
- **Instructions** are counted by a virtual Cortex-A76 and are no time; see [virtual boards](virtual-boards.md). *Not measured* is just that.
"""


@dataclass(frozen=True, slots=True)
class Absence:
    """A subject that is not on the page, and why."""

    name: str
    reason: str


def write_page(path: Path, bench: Bench, found: Sequence[Subject | Absence], note: str | None = None) -> None:
    """Write the page from whatever is there.

    Args:
        path: The page.
        bench: What was measured.
        found: In the page's order.
        note: What is special about the run, such as a trial with few images.
    """
    parts = [_HEAD, f"**{note}**\n"] if note else [_HEAD]
    parts.append(_machine())
    for subject in found:
        if isinstance(subject, Absence):
            parts.append(f"## {subject.name}\n\nNot measured: {subject.reason}.\n")
        else:
            parts.append(_section(subject, rows(bench, subject)))
    path.write_text("\n".join(parts))


def fill_example(path: Path, found: Sequence[Row]) -> None:
    """Write the last column of the table of techniques, in which a row may name several recipes."""
    by_name = {row.recipe.name: row for row in found}
    lines = []
    for line in path.read_text().splitlines():
        names = re.findall(r"`([^`]+)`", line.split("|")[1]) if line.startswith("| `") else ()
        known = [by_name[name] for name in names if name in by_name]
        lines.append(line.rsplit("|", 2)[0] + f"| {_example(known)} |" if known else line)
    path.write_text("\n".join(lines) + "\n")


def _example(found: Sequence[Row]) -> str:
    several = len(found) > 1
    texts = []
    for row in found:
        file = f"{units.size(row.static.file_bytes)}, {units.size(row.static.gzip_bytes)}" if row.static else NOT
        top1 = f"{row.scored.share.point:.3f}" if row.scored else NOT if row.static else ""
        texts.append((f"`{row.recipe.name}` " if several else "") + ", ".join(part for part in (file, top1) if part))
    return "; ".join(texts)


def _machine() -> str:
    processor = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith(("model name", "Model"))), "unknown"
    )
    return (
        f"Page written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {platform.machine()}, {os.cpu_count()} cores ({processor}), "
        f"Python {platform.python_version()}. Latencies are of one thread.\n"
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def _section(subject: Subject, found: Sequence[Row]) -> str:
    parts = [f"## {subject.title}\n\n{subject.data[0].upper()}{subject.data[1:]}. {_when(found)}\n"]
    if subject.labelled and subject.timed:
        parts += ["| question, by the far end of the interval | answer |", "|---|---|"]
        parts += [f"| {one.question} | {_verdict(one)} |" for one in answers(found)] + [""]
        parts += [_float_line(found)]
    parts += list(_sizes(subject, found))
    if subject.corruptions:
        parts += ["", *_corrupted([(row.recipe.name, row.scored) for row in found if row.scored])]
    if subject.timed:
        parts += ["", *_speeds(found)]
    return "\n".join(parts) + "\n"


def _when(found: Sequence[Row]) -> str:
    entries = [row.entry for row in found if row.entry]
    if not entries:
        return "Nothing of it is measured yet."
    days = sorted({f"{datetime.fromtimestamp(one.unix_s, UTC):%Y-%m-%d}" for one in entries})
    commits = list(dict.fromkeys(one.commit for one in entries))
    return f"Sizes and accuracy: {' and '.join(days)}, commit {', '.join(commits)}."


def _verdict(one: Answer) -> str:
    if one.best is None or one.figure is None:
        return NOT
    figure = f"{one.figure:.2f} × int8" if "size" in one.question else f"{1 / one.figure:.2f} times"
    drop = f"drop at most {_points(one.best.drop.high)}" if one.best.drop else ""
    return f"**{one.verdict}**: `{one.best.recipe.name}`, {figure}, {drop}"


def _float_line(found: Sequence[Row]) -> str:
    pairs = [
        f"`{row.recipe.name}` {_speed(pair.ratio, pair.low, pair.high)} as fast as `{FLOAT}`"
        for row, pair in in_float(found)
    ]
    return f"In float: {'; '.join(pairs) or NOT}.\n"


def _sizes(subject: Subject, found: Sequence[Row]) -> Iterator[str]:
    base = next((row.static for row in found if row.recipe.name == BASE), None)
    heads = ["recipe", "file", "gzip", "gzip ÷ int8's", "MACs", "activations"]
    heads.append(f"{'top-1' if subject.labelled else 'agrees with float'}, 95 %")
    cells = []
    for row in found:
        if row.failure != UNREACHED:
            cells.append([f"`{row.recipe.name}`", *_static(row, base.gzip_bytes if base else None), _share(row)])
            cells[-1].append(_drop(row.drop) if subject.labelled else _sqnr(row))
    yield from _table([*heads, "drop, points" if subject.labelled else "signal to error"], cells)
    yield from _unreached(found)
    yield from (
        f"\n**{text[:1].upper()}{text[1:]}.**" for text in {row.scored.alike for row in found if row.scored} if text
    )


def _unreached(found: Sequence[Row]) -> Iterator[str]:
    names = [f"`{row.recipe.name}`" for row in found if row.failure == UNREACHED]
    if names:
        yield ""
        yield f"Not reached yet: {', '.join(names)}."


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table without the columns in which nothing was measured, and a sentence that names them."""
    if not cells:
        return
    empty = [i for i in range(len(heads)) if all(row[i] == NOT for row in cells)]
    yield _line([head for i, head in enumerate(heads) if i not in empty])
    yield "|" + "---|" * (len(heads) - len(empty))
    for row in cells:
        yield _line([cell for i, cell in enumerate(row) if i not in empty])
    if empty:
        yield ""
        yield f"Not measured: {', '.join(heads[i].partition(',')[0] for i in empty)}."


def _static(row: Row, base: int | None) -> list[str]:
    one = row.static
    if one is None:
        return [NOT] * 5
    ratio = f"{one.gzip_bytes / base:.2f}" if base else NOT
    live = units.size(one.peak_live_bytes)
    return [units.size(one.file_bytes), units.size(one.gzip_bytes), ratio, units.count(one.macs), live]


def _corrupted(found: Sequence[tuple[str, Scored]]) -> Iterator[str]:
    if not found:
        return
    names = [name for name, _, _ in found[0][1].corrupted]
    floats = dict(found[0][1].floats)
    yield _line(["recipe, on spoilt images", *names])
    yield "|---|" + "---|" * len(names)
    yield _line(["float Keras model", *(units.percent(floats.get(name)) for name in names)])
    for recipe, scored in found:
        yield _line([f"`{recipe}`", *(_spoilt(top1, extra) for _, top1, extra in scored.corrupted)])


def _speeds(found: Sequence[Row]) -> Iterator[str]:
    timed = [row.latency for row in found if row.latency]
    heads = [
        "recipe",
        "latency, median, 95 %",
        "speed ÷ int8's, 99 %",
        "memory",
        "instructions",
        "fewer than int8 by, 99 %",
    ]
    cells = []
    for row in found:
        if row.latency or row.instructions:
            own, counted = row.latency, row.instructions
            cells.append(
                [f"`{row.recipe.name}`", _cost(own), _ratio(own), _memory(own), _cost(counted), _ratio(counted)]
            )
    yield _load(timed)
    if cells:
        yield ""
    yield from _table(heads, cells)


def _load(timed: Sequence[Timed]) -> str:
    if not timed:
        return f"Latency and memory: {NOT} yet."
    load, middle = load_of(timed), middle_load(timed)
    days = sorted({f"{datetime.fromtimestamp(one.entry.unix_s, UTC):%Y-%m-%d %H:%M}" for one in timed})
    codes = sorted({warning.code for one in timed for warning in one.run.warnings if "latency_ns" in warning.spoils})
    seen = NOT if load is None else f"median {middle:.2g}, {load[0]:.2g} to {load[1]:.2g} of {os.cpu_count()} cores"
    launches = sorted({len(one.run.launches) for one in timed})
    runtime = next((f"{one.run.runtime.name} {one.run.runtime.version}" for one in timed if one.run.runtime), "unknown")
    return (
        f"Latencies of {days[0]} to {days[-1]} UTC, commit {', '.join(dict.fromkeys(one.entry.commit for one in timed))}; {runtime}; "
        f"{' and '.join(map(str, launches))} launches each. "
        f"Others' load meanwhile, as recorded: {seen}. Warnings: {', '.join(f'`{code}`' for code in codes) or 'none'}."
    )


def _cost(timed: Timed | None) -> str:
    one = None if timed is None else timed.cost
    if one is None or one.point is None:
        return NOT
    return f"{units.quantity(one.name, one.point)} ({units.interval(one.name, one.low, one.point, one.high)})"


def _ratio(timed: Timed | None) -> str:
    if timed is None:
        return NOT
    return _speed(timed.ratio.ratio, timed.ratio.low, timed.ratio.high) if timed.ratio else "1"


def _speed(ratio: float | None, low: float | None, high: float | None) -> str:
    """Return a ratio of costs as one of speeds: its inverse, ends exchanged."""
    if not ratio:
        return NOT
    return f"{1 / ratio:.2f}" + (f" ({1 / high:.2f} … {1 / low:.2f})" if low and high else " (no interval)")


def _memory(timed: Timed | None) -> str:
    if timed is None:
        return NOT
    found = next(one for one in estimates(timed.run) if one.name == "anonymous_growth_bytes")
    return NOT if found.point is None else units.size(found.point)


def _share(row: Row) -> str:
    if row.scored is None:
        return f"{NOT}: {_PATH.sub('', row.failure)}" if row.failure else NOT
    share = row.scored.share
    return f"{share.point:.2%} ({share.low:.2%} … {share.high:.2%})".replace("%", " %")


def _sqnr(row: Row) -> str:
    if row.scored is None:
        return NOT
    return "no error" if row.scored.sqnr_db is None else f"{row.scored.sqnr_db:.1f} dB"


def _drop(drop: Range | None) -> str:
    return NOT if drop is None else f"{_points(drop.point)} ({_points(drop.low)} … {_points(drop.high)})"


def _spoilt(top1: Range, extra: Range | None) -> str:
    shown = f"{top1.point:.2%}".replace("%", " %")
    return shown if extra is None else f"{shown} ({_points(extra.low)} … {_points(extra.high)})"


def _points(share: float) -> str:
    return f"{100 * share:+.2f}".replace("-", "−")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
