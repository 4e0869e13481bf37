"""Where int8 goes wrong in a model, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edgeprof import units
from edgeprof.compress.error_report import FINE, IMPROVED, REPAIRED, ErrorReport, OpError, Trial
from edgeprof.report.document import document
from edgeprof.report.text import console, plain, table, write

_NUMBERS = ("error", "largest", "spread")
_LONGEST = 48
_LEGEND = (
    "in steps of each output's scale: root mean square error, of which rounding alone is 0.29; largest; spread of a "
)
_VERDICTS = {
    FINE: "nothing need stay in float: at least 20 dB, and 99 % of the highest outputs",
    REPAIRED: "leaving {} in float repairs it:",
    IMPROVED: "leaving {} in float helps, and does not repair it; try `--io float`, int16x8 or training for int8:",
}
_NO_HELP = (
    "no layer that was left in float helped; try `--io float`, int16x8, training for int8 or other calibration samples"
)


def print_error_report(found: ErrorReport, *, as_json: bool) -> None:
    """Print what int8 adds at each operator, the worst first, and what leaving layers in float does."""
    if as_json:
        write(document("error_report", [error_report_item(found)]))
        return
    out = console()
    out.print(plain(f"{found.model} {found.recipe}: what int8 adds at each operator, the worst first"))
    out.print(_grid(found.rows))
    out.print(plain(f"{_LEGEND}typical channel; {found.n} calibration samples, those that ranges were fitted to"))
    out.print(plain(f"as it is: {_trial(found.before, found.n)}"))
    for line in _suggestion(found):
        out.print(plain(line))


def error_report_item(found: ErrorReport) -> dict[str, Any]:
    """Return a report for a document."""
    return {
        "model": found.model,
        "recipe": found.recipe,
        "n": found.n,
        "layers": [asdict(row) for row in found.rows],
        "before": _item(found.before),
        "tried": [_item(trial) for trial in found.tried],
        "after": None if found.after is None else _item(found.after),
        "verdict": found.verdict,
        "suggestion": found.suggestion,
    }


def _grid(rows: Sequence[OpError]) -> Any:  # noqa: ANN401 - rich's
    grid = table("layer", "operator", *_NUMBERS, right=_NUMBERS)
    for row in rows:
        spread = "none" if row.spread_steps is None else units.three_digits(row.spread_steps)
        numbers = (units.three_digits(row.rmse_steps), units.three_digits(row.largest_steps), spread)
        grid.add_row(*(plain(text) for text in (_short(row.layer), row.op, *numbers)))
    return grid


def _suggestion(found: ErrorReport) -> list[str]:
    words = _VERDICTS.get(found.verdict)
    if words is None or found.after is None:
        return [words or f"{_NO_HELP} ({len(found.tried)} conversions tried)"]
    leave = found.after.leave_float
    change = units.change(found.after.size_bytes / found.before.size_bytes)
    return [
        words.format(" and ".join(f"`{name}`" for name in leave)),
        f"converted so: {_trial(found.after, found.n)} ({change}); {len(found.tried)} conversions tried",
        "as a recipe of your own, to measure on a board:",
        "",
        *_recipe(found.suggestion or {}),
    ]


def _recipe(fields: dict[str, Any]) -> list[str]:
    steps = [line for step in fields["step"] for line in ("", "[[step]]", *_settings(step))]
    return [f'name = "{fields["name"]}"', *steps, "", "[conversion]", *_settings(fields["conversion"]), ""]


def _settings(fields: dict[str, Any]) -> list[str]:
    # Texts, lists and truth values of JSON are TOML's too.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items() if value is not None]


def _trial(trial: Trial, n: int) -> str:
    quality = "equal outputs" if trial.sqnr_db is None else f"signal to error {units.decibel(trial.sqnr_db)}"
    agreed = "" if trial.agreed is None else f"the float model's highest output for {trial.agreed} of {n}, "
    return f"{agreed}{quality}, {units.size(trial.size_bytes)}"


def _item(trial: Trial) -> dict[str, Any]:
    return {**asdict(trial), "leave_float": list(trial.leave_float)}


def _short(name: str) -> str:
    first = name.partition(";")[0]
    return first if len(first) <= _LONGEST else f"…{first[1 - _LONGEST :]}"
