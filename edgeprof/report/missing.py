"""What a run did not measure, and why: for every reader the same."""

from edgeprof.metrics import estimates, headline
from edgeprof.records import RunResult
from edgeprof.report.words import reason_words

# Fields of `State`, with what people call them.
_STATES = {"temp_mc": "temperature", "freq_khz": "clocks", "others_cores": "others' load"}
# The same of boards of some families alone.
_OF_SOME = {
    "throttled": "throttling",
    "power_mode": "power mode",
    "governor": "governor",
    "state_after": "state after the runs",
}
# What a table shows in columns, which leave no room for a reason.
_FIGURES = {
    ("latency_ns", "p90"): "p90",
    ("energy_per_inference_uj", "mean"): "energy",
    ("power_mw", "mean"): "power",
    ("peak_rss_bytes", "median"): "peak RSS",
}
# Nobody asked for these: no news.
_UNASKED = ("not_asked", "no_evaluation_data")
_NOBODY_WATCHED = "not_watched"


def unseen_states(run: RunResult) -> list[tuple[str, str]]:
    """Return what was not seen of the board while it ran, for people, each with a reason code."""
    reasons = dict(run.not_measured)
    seen = {field for state in run.states if state for field in _STATES if _known(state, field)}
    found = [(words, reasons.get(field, _NOBODY_WATCHED)) for field, words in _STATES.items() if field not in seen]
    return found + [(words, reasons[field]) for field, words in _OF_SOME.items() if field in reasons]


def missing(run: RunResult) -> list[tuple[str, str]]:
    """Return the figures of a table that somebody asked for and that are not there, each with a reason code."""
    found = {(estimate.name, estimate.statistic): estimate.not_measured for estimate in estimates(run)}
    wanted = {**_FIGURES, headline(run): "accuracy"}
    figures = [(words, reason) for key, words in wanted.items() if (reason := found.get(key)) is not None]
    return [(what, reason) for what, reason in (*figures, *unseen_states(run)) if reason not in _UNASKED]


def by_reason(pairs: list[tuple[str, str]]) -> str:
    """Return such pairs for people, what shares a reason together: `energy, power (no power sensor)`."""
    reasons: dict[str, list[str]] = {}
    for what, reason in pairs:
        reasons.setdefault(reason, []).append(what)
    return "; ".join(f"{', '.join(whats)} ({reason_words(reason)})" for reason, whats in reasons.items())


def _known(state: object, field: str) -> bool:
    name = "freq_khz_high" if field == "freq_khz" else field
    return getattr(state, name) is not None
